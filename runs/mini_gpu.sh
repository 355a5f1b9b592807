#!/usr/bin/env bash
# The mini's training at 128 pixels on a machine with a GPU, for a given time.
#   runs/mini_gpu.sh SECONDS FOLDER [COPY_TO] [START]
# Processors draw while the GPU learns from what they have drawn: sight and a first leg from the first draws, a second leg
# from all there are by then, as long as the time is. FOLDER takes everything. COPY_TO takes weights (split into pieces of
# 16 MiB), metrics and the newest previews. START is the folder of a mini whose locator and VAE are taken over, as made by
# `diptych train mini --size gpu --stage vae`: that needs no GPU. Needs torch, diffusers, accelerate, safetensors, OpenCV,
# Pillow, pydantic, rich and tensorboard; no PyAV and no network.
# From the environment: WORKERS, DRAWS, FIRST_DRAWS (before anything is learnt), SIGHT (steps of it), LEG1 (seconds of it),
# SETTINGS (more of them, as KEY=VALUE KEY=VALUE).
set -eu
seconds=$1 folder=$2 copy_to=${3:-} start=${4:-}
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
export folder end=$(($(date +%s) + seconds)) SIGHT=${SIGHT:-2000} LEG1=${LEG1:-150} FIRST_DRAWS=${FIRST_DRAWS:-5000}
export SETTINGS=${SETTINGS:-}
python=${PYTHON:-python3}
mkdir -p "$folder"

take() { mkdir -p "$folder/$2/mini" && cp "$1"/locator.safetensors "$1"/vae.safetensors "$folder/$2/mini"; }
mini="$python -m diptych.cli --debug train mini --size gpu -o $folder/draws"
made="draws=${DRAWS:-65536} workers=${WORKERS:-14} $SETTINGS"

# shellcheck disable=SC2086  # settings are words
{
  if [ -n "$start" ]; then take "$start" draws; else $mini --stage locator --set $made && $mini --stage vae --set $made; fi
  # No function: what is killed in the end has to be the process that draws.
  $mini --stage cache --set $made &
}
drawing=$!
stop_drawing() { kill "$drawing" 2>/dev/null && wait "$drawing" || :; }
trap stop_drawing EXIT
for leg in leg1 leg2; do
  take "$folder/draws/mini" $leg
  ln -sfn ../draws/cache "$folder/$leg/cache"
done

"$python" - <<'PY' || echo "stopped early; what there is comes back"
# One process for all that is learnt: starting one costs as much as a thousand steps.
import gc, json, os, time
from pathlib import Path

import torch
from diptych.cli import main

folder, end = Path(os.environ["folder"]), float(os.environ["end"])
torch.zeros(1, device="cuda" if torch.cuda.is_available() else "cpu")


def drawn() -> int:
    return 64 * len([*(folder / "draws/cache").glob("draws-*.safetensors")])


def train(leg: str, stage: str, seconds: float, *settings: str) -> None:
    print(f"{drawn()} draws, {end - time.time():.0f} s left: {leg} {stage}", flush=True)
    command = f"--debug train mini --size gpu --stage {stage} --minutes {max(seconds, 1) / 60:.3f} -o {folder / leg} --set"
    if main([*command.split(), *settings, *os.environ["SETTINGS"].split()]):
        raise SystemExit(f"{leg} {stage} failed")
    gc.collect()
    torch.cuda.empty_cache()


while drawn() < int(os.environ["FIRST_DRAWS"]) and time.time() < end - 10:
    time.sleep(0.5)
train("leg1", "sight", end - time.time(), f"sight_loop.steps={os.environ['SIGHT']}")
# How fast it is shows here; so the second leg can fall to a rate of nothing in time.
train("leg1", "denoiser", float(os.environ["LEG1"]), "denoiser_loop.steps=1000000", "denoiser_loop.decay=0", "pure_steps=1000000", "denoiser_loop.preview_every=0")
lines = [json.loads(line) for line in (folder / "leg1/denoiser/metrics.jsonl").read_text().splitlines()]
timed = [(line["step"], line["seconds"]) for line in lines if "seconds" in line]
half = timed[len(timed) // 2]
rate = (timed[-1][0] - half[0]) / max(timed[-1][1] - half[1], 1e-3) if len(timed) > 1 else 1.0
steps = max(1, int(rate * 0.94 * (end - time.time() - 12)))
print(f"{rate:.1f} steps a second: {steps} in the second leg", flush=True)
train("leg2", "denoiser", end - time.time(), f"start_from={folder / 'leg1/mini'}", f"denoiser_loop.steps={steps}", "pure_steps=0", "pure_share=0.8", "denoiser_loop.preview_every=0")
print(f"{drawn()} draws, {end - time.time():.0f} s left", flush=True)
PY
stop_drawing

if [ -n "$copy_to" ]; then
  mkdir -p "$copy_to"
  newest=leg2
  [ -e "$folder/leg2/mini/denoiser.safetensors" ] || newest=leg1
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
