"""The loop: it learns, and a run stopped anywhere goes on as if nothing had happened, to the last digit."""

import dataclasses
import json
import time
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from diptych.train.loop import LoopSettings, _can_fuse, rate_factor, train
from diptych.train.state import checkpoints
from diptych.types import InputError

SETTINGS = LoopSettings(
    steps=12, learning_rate=1e-2, muon_learning_rate=1e-2, warmup=3, checkpoint_every=4, log_every=1, ema=4, seed=7
)


class Lines(nn.Module):
    """Two layers of different kind, so that both optimisers have something to do."""

    def __init__(self):
        super().__init__()
        self.block = nn.Linear(6, 6)
        self.out = nn.Linear(6, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.block(x)))


@dataclass
class Toy:
    """Learns a fixed function of noise; may stop, as if killed, after some steps."""

    kill_at: int | None = None
    width: int = 6
    in_parts: int = 2
    module: nn.Module = field(init=False)

    def __post_init__(self):
        torch.manual_seed(3)
        self.module = Lines()

    @property
    def facts(self):
        return {"width": self.width}

    def matrices(self, module):
        return [module.block.weight]

    def parts(self, step):
        return self.in_parts

    def loss(self, module, step, generator):
        if step == self.kill_at:
            raise InterruptedError
        x = torch.randn(32, 6, generator=generator)
        return (module(x)[:, 0] - x[:, 0] * x[:, 1].sign()).square().mean(), {"extra": float(step)}

    def preview(self, module, path):
        path.write_bytes(b"")
        return {"score": 1.0}


def losses(folder):
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_killed_run_resumes_to_the_last_digit(tmp_path):
    whole, steps = train(Toy(), SETTINGS, tmp_path / "whole", quiet=True)
    assert steps == 12
    with pytest.raises(InterruptedError):
        train(Toy(kill_at=6), SETTINGS, tmp_path / "killed", quiet=True)
    assert len(losses(tmp_path / "killed")) == 6  # two steps beyond the checkpoint, to be redone
    resumed, _ = train(Toy(), SETTINGS, tmp_path / "killed", quiet=True)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_it_learns_and_keeps_two_checkpoints(tmp_path):
    train(Toy(), LoopSettings(steps=150, learning_rate=2e-2, warmup=5, log_every=1), tmp_path, quiet=True)
    seen = losses(tmp_path)
    assert sum(seen[-10:]) < 0.7 * sum(seen[:10])
    assert [p.name for p in checkpoints(tmp_path)] == ["checkpoint-00000150.safetensors"]


def test_a_passed_deadline_saves_and_a_later_run_goes_on(tmp_path):
    _, steps = train(Toy(), SETTINGS, tmp_path, deadline=time.monotonic() - 1, quiet=True)
    assert steps == 0
    _, steps = train(Toy(), SETTINGS, tmp_path, quiet=True)
    assert steps == 12


def test_a_run_with_other_facts_is_refused_by_name(tmp_path):
    train(Toy(), SETTINGS, tmp_path, quiet=True)
    with pytest.raises(InputError, match="width = 6, not 8"):
        train(Toy(width=8), SETTINGS, tmp_path, quiet=True)


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    train(Toy(), SETTINGS, tmp_path, quiet=True)
    newest = checkpoints(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:200])
    with pytest.raises(InputError, match=newest.name):
        train(Toy(), SETTINGS, tmp_path, quiet=True)


def test_adding_up_parts_is_taking_their_mean(tmp_path):
    """The same gradients whether a batch is run at once or in parts: here every part draws the same distribution."""
    one = train(Toy(in_parts=1), SETTINGS, tmp_path / "one", quiet=True)[0]
    two = train(Toy(in_parts=2), SETTINGS, tmp_path / "two", quiet=True)[0]
    assert not torch.equal(one.out.weight, two.out.weight)  # more data a step
    assert torch.allclose(one.out.weight, two.out.weight, atol=0.1)  # of the same size


def test_the_rate_rises_holds_and_falls_to_nothing():
    settings = LoopSettings(steps=100, learning_rate=1, warmup=10, decay=0.4)
    factors = [rate_factor(step, settings) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[10:60] == [1.0] * 50
    assert factors[99] == pytest.approx(1 / 40)
    assert factors[60:] == sorted(factors[60:], reverse=True)


@pytest.mark.skipif(not _can_fuse(), reason="no C++ compiler")
@pytest.mark.filterwarnings("default")  # what torch's compiler warns of is its own affair
def test_a_fused_run_learns_what_a_plain_one_learns(tmp_path):
    train(Toy(), SETTINGS, tmp_path / "plain", quiet=True)
    averaged, _ = train(Toy(), dataclasses.replace(SETTINGS, fused=True), tmp_path / "fused", quiet=True)
    # Fused steps round less often to bfloat16.
    assert losses(tmp_path / "fused") == pytest.approx(losses(tmp_path / "plain"), rel=0.03)
    assert set(averaged.state_dict()) == set(Lines().state_dict())
    # Checkpoints are those of the module itself, so a run may change over at any of them.
    longer = dataclasses.replace(SETTINGS, steps=14)
    assert train(Toy(), longer, tmp_path / "fused", quiet=True)[1] == 14


def test_fusing_asks_for_a_compiler(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not _can_fuse()
