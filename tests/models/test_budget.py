"""Budgets: a sketch has every shape and no weight, and what saves memory saves it."""

import shutil
from dataclasses import replace

import pytest
import torch

from diptych.models.adapters import LoraSettings, add_adapter
from diptych.models.budget import Stage, weights
from diptych.models.foundation import Source
from diptych.models.hunyuan15 import Hunyuan15
from diptych.models.motif import Motif
from diptych.models.savings import Savings
from diptych.models.wan import Wan
from diptych.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore")
FAMILIES = {"hunyuan15": Hunyuan15, "wan2.1": Wan, "wan2.2": Wan, "motif": Motif}


def without_weights(checkpoint, name, folder):
    """The folder of a checkpoint as it is before its weights are fetched."""
    return shutil.copytree(checkpoint(name), folder, ignore=shutil.ignore_patterns("*.safetensors"))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sketch_has_the_shapes_of_the_real_thing_without_its_weights(checkpoint, name, tmp_path):
    sketch = FAMILIES[name].sketched(
        Source(str(without_weights(checkpoint, name, tmp_path / "bare"))), dtype=torch.float32
    )
    real = FAMILIES[name](Source(str(checkpoint(name))))
    for drawn, built in zip((sketch.vae, *sketch.networks), (real.vae, *real.networks), strict=True):
        assert {n: (p.shape, p.dtype) for n, p in drawn.named_parameters()} == {
            n: (p.shape, p.dtype) for n, p in built.named_parameters()
        }
        assert all(p.device.type == "meta" for p in drawn.parameters())
    assert sketch.contract == real.contract


@pytest.mark.parametrize("name", FAMILIES)
def test_what_saves_memory_saves_it(checkpoint, name):
    sketch = FAMILIES[name].sketched(Source(str(checkpoint(name))), dtype=torch.float32)
    sketch.resize(64 * 64, 17)
    stage = Stage(sketch, 64, 64, encoders=1000)
    plain = stage.need(Savings())
    assert plain.networks == sum(p.numel() * 4 for n in sketch.networks for p in n.parameters()) + sum(
        b.numel() * b.element_size() for n in sketch.networks for b in n.buffers()
    )
    assert plain.in_main_memory == 0
    assert plain.card == max(plain.phases.values())
    small = stage.need(Savings(storage="fp8"))
    assert small.networks < plain.networks
    for offload in ("block", "leaf"):
        moved = stage.need(Savings(offload=offload))
        assert moved.networks == 0
        assert moved.in_main_memory == plain.networks
        assert moved.denoising > plain.denoising
    assert stage.need(Savings(step_cache="taylor")).denoising > plain.denoising
    half = Stage(sketch, 64, 64, encoders=1000, predictions=1).need(Savings())
    assert half.step_flops == pytest.approx(plain.step_flops / 2)


def test_twice_the_canvas_is_about_twice_the_memory(checkpoint):
    sketch = Wan.sketched(Source(str(checkpoint("wan2.1"))))
    sketch.resize(None, 17)
    one, two = (Stage(sketch, 128, width).need(Savings()) for width in (128, 256))
    assert two.tokens == 2 * one.tokens
    assert two.denoising / one.denoising == pytest.approx(2, rel=0.1)
    assert two.decoding / one.decoding == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(
    ("family", "release", "billions"), [(Hunyuan15, None, 8.33), (Wan, None, 28.58), (Wan, "wan2.1", 16.39)]
)
def test_published_sizes(family, release, billions):
    sketch = family.sketched(release=release)
    assert sum(p.numel() for n in sketch.networks for p in n.parameters()) / 1e9 == pytest.approx(billions, abs=0.01)
    resident, waiting, _ = weights(sketch.networks, Savings())
    assert resident == pytest.approx(2e9 * billions, rel=0.01)
    assert waiting == 0


def test_no_such_release():
    with pytest.raises(InputError, match=r"there are wan2\.2, wan2\.1"):
        Wan.sketched(release="wan9")


@pytest.mark.parametrize("name", FAMILIES)
def test_training_goes_there_and_back(checkpoint, name):
    """Frozen layers cost one product back, adapters two, attention two and a half; blocks are gone through twice."""
    folder = str(checkpoint(name))

    def stage():
        sketch = FAMILIES[name].sketched(Source(folder), dtype=torch.float32)
        sketch.resize(None, 17)
        return Stage(sketch, 128, 128, predictions=1)

    plain, kept = stage().need(Savings()), stage().training(LoraSettings(rank=4), checkpointing=False)
    again = stage().training(LoraSettings(rank=4))
    assert 1.8 < kept.flops / plain.step_flops < 3.6
    assert kept.flops < again.flops < kept.flops + 1.1 * plain.step_flops
    assert plain.denoising < again.results < kept.results
    real = FAMILIES[name](Source(folder))
    learning = sum(
        p.numel()
        for network in real.networks
        if add_adapter(network, real.facts.feed_forward, LoraSettings(rank=4))
        for p in network.parameters()
        if p.requires_grad
    )
    assert kept.learning == again.learning == learning


def test_what_is_split_among_cards_falls_with_their_number(checkpoint):
    sketch = Wan.sketched(Source(str(checkpoint("wan2.1"))), dtype=torch.float32)
    sketch.resize(None, 17)
    need = Stage(sketch, 128, 128).training(LoraSettings(rank=4))
    alone, whole = need.card(1, split=False), need.card(8, split=False)
    assert alone == need.card(1, split=True)
    assert whole - alone == pytest.approx(1.05 * 4 * need.learning, abs=2)  # buffers of the exchange
    large = replace(need, frozen=10**11)
    split = [large.card(n, split=True) for n in (2, 8, 64)]
    assert split == sorted(split, reverse=True)
    assert split[0] < 0.52 * large.card(2, split=False)
