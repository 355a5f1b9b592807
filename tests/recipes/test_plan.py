"""``diptych plan``, dry runs without weights, and memory that is short."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch

from diptych.cli import main
from diptych.models.budget import TrainingNeed
from diptych.models.savings import Savings
from diptych.options import AnimateOptions, PlanOptions
from diptych.recipes import plan as room
from diptych.recipes.animate import animate_files
from diptych.recipes.plan import (
    LADDER,
    chosen_savings,
    fitting,
    options_of,
    plan,
    refuse_training_beyond,
    square_stage,
)
from diptych.recipes.session import session_for
from diptych.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore")
ASSETS = Path(__file__).parents[2] / "src" / "diptych" / "assets"


@pytest.fixture
def bare(checkpoint, tmp_path):
    """A checkpoint before its weights are fetched."""
    return shutil.copytree(checkpoint("wan2.1"), tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))


@pytest.fixture
def stage(bare):
    session = session_for(asked(bare))
    return square_stage(session.backbone, session.settings, str(bare))


def asked(folder, **others):
    facts = {"backbone": "wan", "weights": str(folder), "panel_area": 64 * 64, "window": 9, "dry_run": True}
    return AnimateOptions(ASSETS / "reference.png", ASSETS / "driving.mp4", Path("out.mp4"), **{**facts, **others})


def test_a_plan_says_what_fits_and_writes_it_down(bare, tmp_path, capsys):
    plan(
        PlanOptions(
            backbone="wan", weights=str(bare), sizes=((96, 64),), window=9, cards=(0.5, 24), json=tmp_path / "p.json"
        )
    )
    said = capsys.readouterr().out
    assert "does not fit" in said
    assert "with nothing" in said
    assert "nothing here was measured" in said
    rows = json.loads((tmp_path / "p.json").read_text())["plan"]
    assert [row["fits"] for row in rows] == [False, True]
    assert rows[1]["card_bytes"]["denoising"] > rows[1]["card_bytes"]["reading"] > 0.8 * 2**30
    assert 0 < rows[1]["seconds"][0] < rows[1]["seconds"][1]


def test_the_command_line_reaches_it(bare, capsys):
    words = ["plan", "--backbone", "wan", "--weights", str(bare), "--size", "64x64", "--window", "9", "--card", "24"]
    assert main(words) == 0
    assert "64 x 64 a panel" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["plan", "--backbone", "wan", "--size", "64"])
    assert stopped.value.code == 2


def test_a_dry_run_reads_no_weights(bare, capsys):
    assert animate_files(asked(bare)) is None
    run = json.loads(capsys.readouterr().out)
    assert run["model"]["name"] == "wan"
    assert run["model"]["contract"]["window_frames"] == 9
    plan = run["plan"]
    assert plan["card_bytes"]["denoising"] > plan["card_bytes"]["reading"] > 0.8 * 2**30
    assert plan["operations_a_window"] > 1e9
    assert all(side % 16 == 0 for side in plan["panel"])
    assert "nothing here was measured" in plan["note"]
    with pytest.raises(InputError, match="cannot be used"):
        animate_files(asked(bare, dry_run=False))


def test_the_cheapest_that_fits_is_chosen(stage):
    needs = {savings: stage.need(savings) for savings in LADDER}
    plain = needs[LADDER[0]]
    assert fitting(stage, 1e12, 1e12).savings == LADDER[0]
    assert fitting(stage, 0.9 * plain.card, 1e12) is None or fitting(stage, 0.9 * plain.card, 1e12).savings != LADDER[0]
    assert fitting(stage, 1e6, 1e12) is None
    assert fitting(stage, 1e12, 1.0) is None


def test_auto_takes_what_fits_this_card_and_keeps_what_was_asked(stage, monkeypatch):
    assert chosen_savings(stage, Savings(offload="leaf")) == Savings(offload="leaf")  # no card, nothing to choose
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for free in (1e12, 1e6):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda free=free: (int(free), int(1e12)))
        if free > 1e9:
            assert chosen_savings(stage, Savings(attention="native")) == Savings(attention="native")
        else:
            with pytest.raises(InputError, match="--panel-area"):
                chosen_savings(stage, Savings())
    tiled = dataclasses.replace(LADDER[1])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (int(1e12), int(1e12)))
    monkeypatch.setattr(room, "fitting", lambda *_: room.Fit(tiled, stage.need(tiled)))
    assert chosen_savings(stage, Savings(storage="fp8")) == Savings(storage="fp8", vae_tiling=True)


def test_options_are_said_as_they_are_typed():
    assert options_of(Savings()) == "nothing"
    assert options_of(LADDER[4]) == "--vae-tiling --storage fp8 --offload block"


@pytest.mark.parametrize(
    "failure",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")],
)
def test_memory_that_is_short_is_said_in_a_sentence(checkpoint, tmp_path, monkeypatch, failure):
    from diptych.animate.session import Session

    def full(*args, **kwargs):
        raise failure
        yield

    monkeypatch.setattr(Session, "animate", full)
    options = asked(checkpoint("wan2.1"), dry_run=False)
    options = dataclasses.replace(options, output=tmp_path / "o.mp4", quiet=True)
    with pytest.raises(InputError, match=r"memory does not hold a window .* --memory auto"):
        animate_files(options)
    assert not (tmp_path / "o.mp4").exists()


def test_training_is_planned_for_every_number_of_cards(checkpoint, tmp_path, capsys):
    options = PlanOptions(
        "wan", weights=str(checkpoint("wan2.1")), sizes=((64, 64),), window=17, train=True, json=tmp_path / "p.json"
    )
    plan(options)
    said = capsys.readouterr().out
    assert "LoRA of rank 256" in said
    assert "64 cards, fsdp2" in said
    assert "nothing here was measured" in said
    rows = json.loads((tmp_path / "p.json").read_text())["plan"]
    assert [(row["processes"], row["sharding"]) for row in rows] == [
        (1, "none"), (8, "ddp"), (8, "fsdp2"), (64, "ddp"), (64, "fsdp2"),
    ]  # fmt: skip
    assert all(row["cards"] == [12, 24, 48, 80, 141] for row in rows)


def test_a_training_that_no_card_holds_is_refused_with_what_would_help():
    need = TrainingNeed(frozen=30 << 30, learning=10**8, block=1 << 28, results=20 << 30, flops=1.0)
    refuse_training_beyond(need, 80e9, 1, split=False)
    with pytest.raises(InputError, match=r"needs 55\.\d GiB .*take a smaller panel_area .* diptych plan --train"):
        refuse_training_beyond(need, 40e9, 1, split=False)
    with pytest.raises(InputError, match=r"take --set loop\.sharding=fsdp2 or"):
        refuse_training_beyond(need, 40e9, 8, split=False)
    with pytest.raises(InputError, match=r"needs 9\d\.\d GiB"):  # two samples and wrong drivers for both
        refuse_training_beyond(need.keeping(3), 80e9, 1, split=False)
