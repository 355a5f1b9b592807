"""Savings of memory and time: each runs on a CPU, and how far it moves the result is stated."""

import pytest
import torch

from diptych.animate.sampler import SamplerSettings, sample
from diptych.method.incontext import canvas_condition, opening
from diptych.models.foundation import Source
from diptych.models.hunyuan15 import Hunyuan15
from diptych.models.motif import Motif
from diptych.models.savings import Savings, register_blocks
from diptych.models.wan import Wan
from diptych.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore")
FAMILIES = {"hunyuan15": Hunyuan15, "wan2.2": Wan, "motif": Motif}
STEPS = 8


def made(checkpoint, name, savings=None, calls=None):
    """A canvas, sampled with guidance; ``calls`` takes how often the last block was run."""
    backbone = FAMILIES[name](Source(str(checkpoint(name))))
    if calls is not None:
        network = backbone._networks[-1]
        blocks = network.blocks if name.startswith("wan") else network.transformer_blocks
        real = blocks[-1].ff.forward if hasattr(blocks[-1], "ff") else blocks[-1].ffn.forward
        holder = blocks[-1].ff if hasattr(blocks[-1], "ff") else blocks[-1].ffn
        holder.forward = lambda *a, **k: calls.append(1) or real(*a, **k)
    if savings is not None:
        backbone.save(savings)
    g = torch.Generator().manual_seed(2)
    reference, motion = torch.rand(1, 3, 32, 32, generator=g) * 2 - 1, torch.rand(1, 3, 8, 32, 32, generator=g) * 2 - 1
    condition = canvas_condition(backbone.encode_canvas, reference, motion, opening(13, 5), empty=backbone.facts.empty)
    settings = SamplerSettings(steps=STEPS, guidance_scale=3.0)
    latents = sample(backbone, condition, ["a cup"], settings, torch.Generator().manual_seed(1), reference)
    return torch.cat([latents.flatten(), backbone.decode(latents).flatten()])


def moved(checkpoint, name, savings):
    plain = made(checkpoint, name)
    return float((made(checkpoint, name, savings) - plain).norm() / plain.norm())


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("offload", ["block", "leaf"])
def test_offloading_changes_nothing(checkpoint, name, offload):
    assert moved(checkpoint, name, Savings(offload=offload)) < 1e-6


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("storage", "most"), [("fp8", 0.15), ("int8", 0.15)])
def test_eight_bits_change_a_little(checkpoint, name, storage, most):
    if storage == "int8":
        pytest.importorskip("torchao", reason="torchao is not installed (the extra int8)")
    assert 1e-5 < moved(checkpoint, name, Savings(storage=storage)) < most


def test_what_a_backbone_cannot_do_is_refused(checkpoint):
    with pytest.raises(InputError, match="use --step-cache taylor"):
        made(checkpoint, "motif", Savings(step_cache="first-block"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name in FAMILIES
        for kind in ("first-block", "taylor")
        if (name, kind) != ("motif", "first-block")
    ],
)
def test_step_caches_run_and_start_anew_for_every_canvas(checkpoint, name, kind):
    first = made(checkpoint, name, Savings(step_cache=kind))
    assert torch.isfinite(first).all()
    backbone_calls: list[int] = []
    again = made(checkpoint, name, Savings(step_cache=kind), backbone_calls)
    assert torch.equal(first, again)
    whole: list[int] = []
    made(checkpoint, name, None, whole)
    if kind == "taylor" and name != "wan2.2":  # the second expert has few steps, all of them before extrapolation
        assert 0 < len(backbone_calls) < len(whole)


def test_mag_cache_knows_the_blocks_of_hunyuan15(checkpoint):
    from diffusers import MagCacheConfig

    register_blocks()
    backbone = Hunyuan15(Source(str(checkpoint("hunyuan15"))))
    config = MagCacheConfig(mag_ratios=[1.0] * STEPS, num_inference_steps=STEPS, retention_ratio=0.2)
    backbone.transformer.enable_cache(config)
    x = torch.randn(1, 65, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    text = backbone.encode_text(["a"], torch.ones(1, 3, 32, 32))
    outputs = [backbone.denoise(x, torch.tensor([s]), text) for s in torch.linspace(1, 0.3, STEPS)]
    assert all(torch.isfinite(o).all() for o in outputs)


def test_tiles_of_the_vae_are_close(checkpoint):
    assert moved(checkpoint, "wan2.2", Savings(vae_tiling=True)) < 1e-6  # a canvas smaller than a tile is one


def test_an_attention_back_end_that_is_not_there_is_refused(checkpoint):
    with pytest.raises(InputError, match="'flash' cannot be used here"):
        made(checkpoint, "wan2.2", Savings(attention="flash"))
    with pytest.raises(InputError, match="'swift' cannot be used here"):
        made(checkpoint, "wan2.2", Savings(attention="swift"))
    assert moved(checkpoint, "wan2.2", Savings(attention="native")) < 1e-5
