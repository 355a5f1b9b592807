#!/usr/bin/env bash
# What the end-to-end stage is worth on a mini: a pose adapter makes pairs, adapters learn from all of them, from
# those that a judge keeps, from those that the truth keeps, and from drivers without a mistake; each is measured.
#   runs/stage_two_cpu.sh POSE_ADAPTER FOLDER
# One process on one thread, about a quarter of an hour an adapter on a mini of 64 pixels (eight times the work on one of
# 128, by arithmetic); stopped, the same command goes on. Figures come to FOLDER/NAME.txt and .json. MODEL is the mini that
# the pose adapter lies on (mini). PAIRS, STEPS and CACHED make it smaller; DIPTYCH is the command (taskset -c 1
# .venv/bin/diptych).
set -eu
pose=$1 folder=$2
diptych=${DIPTYCH:-.venv/bin/diptych} model=${MODEL:-mini}
export OMP_NUM_THREADS=1
mkdir -p "$folder"
pairs=$folder/pairs

[ -e "$folder/pairs.done" ] || {
  $diptych synth puppets -o "$pairs" --limit "${PAIRS:-526}" --seed 200000 --model "$model" --adapter "$pose" --pose-fit reference
  $diptych judge "$pairs"
  $diptych keep "$pairs" --judge measured --percentile 100 --no-review -o "$pairs/all.jsonl"
  $diptych keep "$pairs" --judge measured --percentile 50 --no-review -o "$pairs/kept.jsonl"
  $diptych keep "$pairs" --judge truth --percentile 50 --no-review -o "$pairs/right.jsonl"
  touch "$folder/pairs.done"
}

adapter() { # adapter NAME SEED CACHE DATA SETTINGS...   (START=nothing: fresh LoRA, not the pose adapter's weights)
  name=$1 seed=$2 cache=$3 data=$4
  shift 4
  [ -e "$folder/$name.json" ] && return
  start=(--warm-start "$pose")
  [ "${START:-pose}" = nothing ] && start=()
  $diptych train stage2_rgb --backbone mini --model "$model" --data "$data" -o "$folder/$name" "${start[@]}" --seed "$seed" --threads 1 \
    --set cache="$folder/cache_$cache" cached="${CACHED:-2048}" workers=1 batch=8 noise.pure_share=0.8 loop.ema=100 loop.fused=false \
    loop.steps="${STEPS:-700}" loop.learning_rate=1e-3 loop.preview_every=350 loop.checkpoint_every=100 "$@"
  $diptych bench puppets --model "$model" --adapter "$folder/$name/adapter" --json "$folder/$name.json" --sheet "$folder/$name.png" >"$folder/$name.txt"
}
adapter all0 0 all "$pairs/all.jsonl"
adapter exact0 0 exact "$pairs/all.jsonl" draws.driver=right
adapter kept0 0 kept "$pairs/kept.jsonl"
adapter right0 0 right "$pairs/right.jsonl"
adapter all1 1 all "$pairs/all.jsonl"
adapter exact1 1 exact "$pairs/all.jsonl" draws.driver=right
adapter contrast0 0 all "$pairs/all.jsonl" contrast.weight=0.1 contrast.kind=motion
START=nothing
adapter all_cold0 0 all "$pairs/all.jsonl"
adapter all_cold1 1 all "$pairs/all.jsonl"
adapter exact_cold0 0 exact "$pairs/all.jsonl" draws.driver=right
adapter exact_cold1 1 exact "$pairs/all.jsonl" draws.driver=right
