#!/usr/bin/env bash
# Pre-training of a mini, both stages on it and the pairs between them, on a machine with a GPU, in pieces of a given
# length; the same command goes on where it stopped, from one part to the next.
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

# job NAME COMMAND...: a part that has no clock of its own; stopped at the end of the piece, it goes on in the next.
job() {
  name=$1
  shift
  [ -e "$folder/seed0.done" ] && [ ! -e "$folder/$name.done" ] && [ "$(left)" -ge 1 ] || return 0
  if timeout -k 5 $((60 * $(left))) "$python" -m diptych.cli --debug "$@"; then touch "$folder/$name.done"; fi
}
# kept NAME RULE...: which pairs a run of stage two learns from.
kept() {
  name=$1
  shift
  [ ! -e "$folder/judge.done" ] || job "keep_$name" keep "$folder/pairs" -o "$folder/pairs/$name.jsonl" --no-review "$@"
}
job pairs synth puppets -o "$folder/pairs" --limit "${PAIRS:-4096}" --seed 200000 --model "$folder/pretrained/mini" \
  --adapter "$folder/seed0/adapter" --pose-fit reference --workers 12
[ ! -e "$folder/pairs.done" ] || job judge judge "$folder/pairs" --workers 12
kept all --judge measured --percentile 100
kept kept --judge measured --percentile 50
kept right --judge truth --percentile 50

second() { # second NAME DATA SETTINGS...
  name=$1 data=$2
  shift 2
  case $data in puppets) ;; *) [ -e "$folder/keep_$(basename "$data" .jsonl).done" ] || return 0 ;; esac
  [ -e "$folder/seed0.done" ] || return 0
  part "$name" stage2_rgb --backbone mini --model "$folder/pretrained/mini" --data "$data" \
    --warm-start "$folder/seed0/adapter" --set cached=12288 workers=12 loop.steps=6000 "$@"
}
second rgb_kept "$folder/pairs/kept.jsonl" cache="$folder/rgb_kept_draws"
second rgb_all "$folder/pairs/all.jsonl"
second rgb_right "$folder/pairs/right.jsonl"
second rgb_exact puppets
second rgb_exact_all puppets draws.bodies=all
second rgb_kept_1 "$folder/pairs/kept.jsonl" cache="$folder/rgb_kept_draws" --seed 1
second rgb_contrast "$folder/pairs/kept.jsonl" contrast.weight=0.1 cache="$folder/rgb_kept_draws"
second rgb_with_poses "$folder/pairs/kept.jsonl" draws.pose_share=0.2

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
