#!/usr/bin/env bash
# Pre-training of a mini and stage one on it, on a machine with a GPU, in pieces of a given length; the same command goes
# on where it stopped, from one part to the next.
#   runs/stages_gpu.sh MINUTES FOLDER [COPY_TO] [SIZE]
# FOLDER keeps checkpoints and caches between pieces. COPY_TO takes weights (split into pieces of 16 MiB), metrics and the
# newest previews, as they are at the end of this piece. SIZE is gpu (128 pixels) or cpu (64 pixels, the default here, so
# that figures can be set beside those of two cores). Needs what runs/mini_gpu.sh needs, and peft.
set -eu
minutes=$1 folder=$2 copy_to=${3:-} size=${4:-cpu}
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python=${PYTHON:-python3}
end=$(($(date +%s) + minutes * 60))
mkdir -p "$folder"

left() { echo $(((end - $(date +%s)) / 60)); }

# part NAME ARGUMENTS...: runs one part for what is left of the time, unless it is done already.
part() {
  name=$1
  shift
  [ ! -e "$folder/$name.done" ] && [ "$(left)" -ge 1 ] || return 0
  "$python" -m diptych.cli --debug train "$@" --minutes "$(left)" -o "$folder/$name"
  # A run whose time was up comes back at the end of it, and a finished one before.
  [ "$(left)" -lt 1 ] || touch "$folder/$name.done"
}

part pretrained mini --preset base --size "$size" --set workers=12 batch=64 \
  denoiser_loop.steps=12000 pure_steps=6000 vae_from=mini
stage() { # stage NAME SETTINGS...
  name=$1
  shift
  [ -e "$folder/pretrained.done" ] || return 0
  part "$name" stage1_pose --backbone mini --model "$folder/pretrained/mini" --data puppets \
    --set cache="$folder/poses" cached=24576 workers=12 loop.steps=6000 "$@"
}
stage seed0
stage seed1 --seed 1 --set cache="$folder/poses_1"
stage no_augmentation --set cache="$folder/poses_plain" draws.augment.bones_share=0 draws.augment.box_share=0
stage no_text --set text=false
stage whole_canvas --set loss_region=canvas
stage with_attention --set adapter.targets=ff+attention
stage full --set adapter.targets=full

if [ -n "$copy_to" ]; then
  mkdir -p "$copy_to"
  tar -C "$folder" -cf - $(cd "$folder" && ls -d pretrained/mini */adapter 2>/dev/null) | split -b 16m - "$copy_to/weights.tar."
  for run in "$folder"/*/; do
    name=$(basename "$run")
    for log in "$run"/*/metrics.jsonl; do [ -e "$log" ] && cp "$log" "$copy_to/$name.$(basename "$(dirname "$log")").jsonl"; done
    newest=$(ls "$run"/*/preview-*.png 2>/dev/null | tail -n 1)
    [ -n "$newest" ] && cp "$newest" "$copy_to/$name.png"
  done
fi
