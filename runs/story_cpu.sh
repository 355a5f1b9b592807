#!/usr/bin/env bash
# The whole recipe on a mini and two cores, nobody watching: from a folder of clips to an adapter that reads motion from
# footage, and a video made with it. Stopped anywhere, the same command goes on.
#   runs/story_cpu.sh FOLDER
# The footage is made-up scenes, so that nothing has to be fetched; put videos of your own, with recorded poses beside
# them or --pose-weights for prepare, in FOLDER/clips before, and pictures in FOLDER/references. What can be set:
#   CLIPS=24 REFERENCES=16 FRAMES=49   how much is rendered where nothing lies there yet
#   MODEL=mini                         what the adapters lie on
#   STEPS=100 CACHED=192               of either stage's training; SET1, SET2 are further settings of each
#   PERCENTILE=60                      share of the pairs that the judge lets through
#   REVIEW=browser                     none leaves the verdicts out, and the manifest says so
#   WORKERS=2
# The reviewer is a script in a real Chromium that presses keys; its verdicts are stored as scripted, never as a person's.
set -eu
folder=${1:?which folder is the story to be told in?}
clips=${CLIPS:-24} references=${REFERENCES:-16} frames=${FRAMES:-49} model=${MODEL:-mini} steps=${STEPS:-100}
cached=${CACHED:-192} percentile=${PERCENTILE:-60} review=${REVIEW:-browser} workers=${WORKERS:-2}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../.venv/bin/python}
diptych() { "$python" -m diptych "$@"; }
mkdir -p "$folder"
began=$(date +%s)

# chapter NAME COMMAND...: does a part of the story, unless it has been told to its end.
chapter() {
  name=$1
  shift
  [ ! -e "$folder/$name.told" ] || return 0
  echo "== $name ($(($(date +%s) - began)) s)" >&2
  "$@"
  touch "$folder/$name.told"
}

footage() {
  [ -e "$folder/clips" ] && [ ! -e "$folder/clips/run.json" ] ||
    diptych puppets render -o "$folder/clips" --count "$clips" --frames "$frames" --size 128
}

pictures() { # of characters that the footage does not show: other seeds
  [ -e "$folder/references" ] && [ ! -e "$folder/strangers" ] && return 0
  diptych puppets render -o "$folder/strangers" --count "$references" --seed 500000 --frames 1 --size 128
  mkdir -p "$folder/references"
  for one in "$folder"/strangers/*/; do cp "$one/reference.png" "$folder/references/$(basename "$one").png"; done
}

stage() { # stage RECIPE DATA OUT SETTINGS...
  recipe=$1 data=$2 out=$3
  shift 3
  diptych train "$recipe" --backbone mini --model "$model" --data "$data" -o "$out" "$@"
}

settings="cached=$cached workers=$workers held_out=2 batch=4 loop.steps=$steps loop.fused=false loop.ema=25
  loop.checkpoint_every=25 loop.preview_every=$steps"

stage_one() {
  # shellcheck disable=SC2086  # settings are words
  stage stage1_pose "$folder/dataset/manifest.jsonl" "$folder/pose" --set $settings ${SET1:-}
}

checked() {
  if [ "$review" = browser ]; then
    "$python" "$here/scripted_reviewer.py" "$folder/pairs"
    diptych keep "$folder/pairs" --percentile "$percentile" --reviewers scripted
  else
    diptych keep "$folder/pairs" --percentile "$percentile" --no-review
  fi
}

stage_two() {
  # shellcheck disable=SC2086
  stage stage2_rgb "$folder/pairs/kept.jsonl" "$folder/rgb" --warm-start "$folder/pose/adapter" --set $settings ${SET2:-}
}

chapter footage footage
chapter references pictures
chapter prepare diptych prepare "$folder/clips" -o "$folder/dataset" --min-frames 17 --workers "$workers"
chapter stage-one stage_one
chapter synth diptych synth "$folder/dataset" --references "$folder/references" --adapter "$folder/pose/adapter" \
  --model "$model" -o "$folder/pairs" --workers "$workers"
chapter judge diptych judge "$folder/pairs" --judge measured
chapter review checked
chapter stage-two stage_two
assets=$here/../src/diptych/assets
chapter animate diptych animate "$assets/reference.png" "$assets/driving.mp4" --model "$model" \
  --adapter "$folder/rgb/adapter" -o "$folder/result.mp4" --preview "$folder/preview.mp4"
echo "$folder/result.mp4; told in $(($(date +%s) - began)) s" >&2
