#!/usr/bin/env bash
# The mini's training on a machine with a GPU, in pieces of a given length; the same command goes on where it stopped.
#   runs/mini_gpu.sh MINUTES FOLDER [COPY_TO] [--set KEY=VALUE ...]
# FOLDER keeps checkpoints and cache between pieces. COPY_TO takes the two weight files (under 36 MB), the metrics and the
# newest previews, as they are at the end of this piece. Needs torch, diffusers, accelerate, safetensors, OpenCV, Pillow,
# pydantic, rich and tensorboard; no PyAV and no network.
set -eu
minutes=$1 folder=$2 copy_to=${3:-}
shift $(($# < 3 ? $# : 3))
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
"${PYTHON:-python3}" -m diptych.cli --debug train mini --size gpu --minutes "$minutes" -o "$folder" "$@"
if [ -n "$copy_to" ]; then
  mkdir -p "$copy_to"
  cp "$folder"/mini/*.safetensors "$copy_to" 2>/dev/null || echo "no finished stage yet"
  for stage in vae denoiser; do
    [ -e "$folder/$stage/metrics.jsonl" ] && cp "$folder/$stage/metrics.jsonl" "$copy_to/$stage.jsonl"
    newest=$(ls "$folder/$stage"/preview-*.png 2>/dev/null | tail -n 1)
    [ -n "$newest" ] && cp "$newest" "$copy_to/$stage.png"
  done
fi
