#!/usr/bin/env bash
# The mini's training at 128 pixels on a machine with a GPU, in pieces of a given length; the same command goes on where it
# stopped.
#   runs/mini_gpu.sh MINUTES FOLDER [COPY_TO] [START]
# Processors draw while the GPU learns from what they have drawn: sight and a first leg from the first draws, a second leg
# from all there are by then. FOLDER keeps everything between pieces. COPY_TO takes weights (split into pieces of 16 MiB),
# metrics and the newest previews, as they are at the end of this piece. START is the folder of a mini whose locator and
# VAE are taken over, as made by `diptych train mini --size gpu --stage vae`: that needs no GPU. Needs torch, diffusers,
# accelerate, safetensors, OpenCV, Pillow, pydantic, rich and tensorboard; no PyAV and no network.
# From the environment: WORKERS, DRAWS, FIRST_DRAWS (before anything is learnt), SIGHT, LEG1 and LEG2 (steps of each),
# SETTINGS (more of them, as KEY=VALUE KEY=VALUE).
set -eu
minutes=$1 folder=$2 copy_to=${3:-} start=${4:-}
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
python=${PYTHON:-python3}
end=$(($(date +%s) + minutes * 60))
mkdir -p "$folder"

left() { echo $((end - $(date +%s))); }
minutes_left() { awk -v s="$(left)" 'BEGIN { printf "%.2f", s / 60 }'; }
mini() { # mini FOLDER STAGE SETTINGS...: one stage for what is left of the time.
  to=$1 stage=$2
  shift 2
  "$python" -m diptych.cli --debug train mini --size gpu --stage "$stage" --minutes "$(minutes_left)" -o "$folder/$to" \
    --set "$@" ${SETTINGS:-}
}
drawn() { find "$folder/draws/cache" -name 'draws-*.safetensors' 2>/dev/null | wc -l; }

take() { mkdir -p "$folder/$2/mini" && cp "$1"/locator.safetensors "$1"/vae.safetensors "$folder/$2/mini"; }

if [ -n "$start" ]; then take "$start" draws; else mini draws locator workers=1 && mini draws vae workers=1; fi
[ -e "$folder/draws/mini/vae.safetensors" ] || exit 0
mini draws cache draws="${DRAWS:-65536}" workers="${WORKERS:-14}" &
drawing=$!
trap 'kill "$drawing" 2>/dev/null || :' EXIT

while [ $((64 * $(drawn))) -lt "${FIRST_DRAWS:-8192}" ] && [ "$(left)" -gt 20 ]; do sleep 1; done
echo "$((64 * $(drawn))) draws with $(left) s left"
for leg in leg1 leg2; do
  take "$folder/draws/mini" $leg
  ln -sfn ../draws/cache "$folder/$leg/cache"
done
[ -e "$folder/leg1/sight/sight.safetensors" ] || mini leg1 sight sight_loop.steps="${SIGHT:-4000}"
echo "$((64 * $(drawn))) draws with $(left) s left"
if [ ! -e "$folder/leg1.done" ]; then
  mini leg1 denoiser denoiser_loop.steps="${LEG1:-8000}" denoiser_loop.decay=0.3 pure_steps=1000000
  touch "$folder/leg1.done"
fi
echo "$((64 * $(drawn))) draws with $(left) s left"
[ "$(left)" -lt 15 ] || mini leg2 denoiser start_from="$folder/leg1/mini" denoiser_loop.steps="${LEG2:-20000}" \
  pure_steps=0 pure_share=0.8
kill "$drawing" 2>/dev/null || :
echo "$((64 * $(drawn))) draws in the end"

if [ -n "$copy_to" ]; then
  mkdir -p "$copy_to"
  newest=leg2
  [ -e "$folder/leg2/mini/denoiser.safetensors" ] || newest=leg1
  [ -e "$folder/leg1/mini/denoiser.safetensors" ] || newest=draws
  tar -C "$folder/$newest/mini" -cf - . | split -b 16m - "$copy_to/mini.tar."
  notes=$(mktemp -d)
  for log in "$folder"/leg*/*/metrics.jsonl; do
    stage=$(dirname "$log")
    cp "$log" "$notes/$(basename "$(dirname "$stage")").$(basename "$stage").jsonl"
    picture=$(ls "$stage"/preview-*.png 2>/dev/null | tail -n 1)
    [ -n "$picture" ] && cp "$picture" "$notes/$(basename "$(dirname "$stage")").$(basename "$stage").png"
  done
  tar -C "$notes" -czf "$copy_to/notes.tar.gz" .
fi
