"""Two processes train what one does with the same batch: gradients and losses of plain descent, in float32."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from two_processes import DESCENT, RUNS, batches

from diptych.train.loop import train
from diptych.train.state import checkpoints

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes made; they are started by torchrun, since other launchers start one without a word."""
    folder = tmp_path_factory.mktemp("two")
    words = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv_backend", "c10d"]
    words += ["--rdzv_endpoint", "localhost:0", str(Path(__file__).with_name("two_processes.py")), str(folder)]
    here = [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(here), "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=900, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    for name, settings in RUNS.items():
        train(batches(2), settings, folder / name, quiet=True)
    adam = replace(DESCENT, optimizer="adamw", learning_rate=1e-3, preview_every=10)
    train(batches(2), adam, folder / "adam", quiet=True)
    return folder


def weights(folder, group="model"):
    return {k: v for k, v in load_file(checkpoints(folder)[-1]).items() if k.startswith(f"module.{group}.")}


def losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def apart(ours, theirs):
    assert ours.keys() == theirs.keys()
    return max((ours[name] - theirs[name]).abs().max().item() for name in ours)


def test_two_processes_really_are_two(two):
    told = [(two / f"rank-{rank}").read_text().split() for rank in (0, 1)]
    assert [words[0] for words in told] == ["2", "2"]


def test_gradients_are_those_of_one_process_with_the_same_batch(one, two):
    start = {f"module.model.{name}": value for name, value in trained_values().items()}
    mine, theirs = weights(one / "gradients"), weights(two / "ddp-gradients")
    gradient = apart({name: mine[name] for name in start}, start)
    assert gradient > 1e-2
    assert apart(mine, theirs) < 1e-5
    # The comparison can fail: half of the batch has another gradient.
    assert apart(mine, weights(one / "losses")) > 1e-2


def trained_values():
    return {n: p.detach().clone() for n, p in batches(1).module.named_parameters() if p.requires_grad}


def test_losses_of_twenty_steps_are_the_same(one, two):
    assert len(losses(one / "losses")) == 20
    assert losses(two / "ddp-losses") == pytest.approx(losses(one / "losses"), abs=1e-5)
    assert apart(weights(one / "losses"), weights(two / "ddp-losses")) < 1e-5
    assert apart(weights(one / "losses", "average"), weights(two / "ddp-losses", "average")) < 1e-5


def test_split_weights_train_what_whole_ones_do(one, two):
    kinds = (two / "rank-0").read_text().split()[1:-1]
    assert kinds == ["DTensor"]
    held = [int((two / f"rank-{rank}").read_text().split()[-1]) for rank in (0, 1)]
    whole = sum(weight.numel() for weight in batches(1).module.parameters())
    assert sum(held) == whole
    assert max(held) < 0.55 * whole
    assert losses(two / "fsdp2") == pytest.approx(losses(one / "adam"), abs=2e-5)
    # Checkpoints hold whole tensors, so an adapter is written the same way.
    shapes = {name: tuple(value.shape) for name, value in weights(one / "adam").items()}
    assert {name: tuple(value.shape) for name, value in weights(two / "fsdp2").items()} == shapes
    assert (two / "fsdp2" / "preview-00000020.png").is_file()
    assert len(list((two / "fsdp2").glob("preview-*"))) == 2


def test_split_runs_resume_to_the_last_digit(two):
    assert losses(two / "resumed") == losses(two / "fsdp2")
    for group in ("model", "average"):
        resumed, whole = (weights(two / name, group) for name in ("resumed", "fsdp2"))
        assert all(torch.equal(resumed[name], whole[name]) for name in whole)
