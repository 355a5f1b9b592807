"""Backbones on canvases of three panels: the mini counts places in each, foundations take them as a wider picture."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blocks import patch_vae, random_denoiser
from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.method import incontext as ic
from diptych.models.budget import Stage
from diptych.models.foundation import Source
from diptych.models.hunyuan15 import Hunyuan15
from diptych.models.mini import PLACES, DenoiserConfig, MiniBackbone, contract, places
from diptych.models.motif import Motif
from diptych.models.patches import PatchConfig
from diptych.models.savings import Savings
from diptych.models.sight import given, onto_canvas
from diptych.models.wan import Wan

FAMILIES = {"hunyuan15": Hunyuan15, "wan2.1": Wan, "motif": Motif}
DEEP = replace(contract(32 * 32), auxiliary="depth")


@pytest.fixture(scope="module")
def mini():
    torch.manual_seed(0)
    denoiser = random_denoiser(DenoiserConfig(heads=2, blocks=1, layers=2, sight=8))
    return MiniBackbone(patch_vae(PatchConfig(width=8, blocks=1)), denoiser, DEEP)


def test_a_cell_and_its_like_in_all_panels_differ_by_their_panel_only():
    told = places(torch.zeros(1, 1, 3, 4, 15), 3)
    left, right, third = ic.split(told, 3)
    assert torch.equal(ic.compose(left, right), places(torch.zeros(1, 1, 3, 4, 10)))
    for one, other in ((left, third), (right, third)):
        assert (one == other).flatten(2).all(-1).all(0).sum() == PLACES - 1
    assert len(told[0].flatten(1).T.unique(dim=0)) == 3 * 4 * 15


@torch.no_grad()
def test_rotary_places_count_from_the_edge_of_every_panel_and_those_of_two_come_back(mini):
    x, text = torch.randn(1, 257, 3, 2, 6, generator=torch.Generator().manual_seed(0)), mini.encode_text([""])
    two = replace(mini, contract=contract(32 * 32))
    plain = two.denoise(x[..., :4], torch.ones(1), text)
    assert mini.denoise(x, torch.ones(1), text).shape == (1, 128, 3, 2, 6)
    rope = mini.denoiser.transformer.rope
    panels = torch.cat(rope(torch.zeros(1, 1, 3, 4, 15)), 1).unflatten(0, (3, 4, 15)).split(5, dim=2)
    assert all(torch.equal(panels[0], panel) for panel in panels)
    # A canvas of two afterwards is counted as before.
    assert torch.equal(two.denoise(x[..., :4], torch.ones(1), text), plain)


@torch.no_grad()
def test_the_third_panel_is_heard(mini):
    x, text = torch.randn(1, 257, 3, 2, 6, generator=torch.Generator().manual_seed(0)), mini.encode_text([""])
    other = x.clone()
    other[:, 128:256, :, :, 4:] += 1
    made, changed = (ic.output_latents(mini.denoise(one, torch.ones(1), text), 3) for one in (x, other))
    assert not torch.allclose(made, changed, atol=1e-3)


def test_what_is_looked_at_is_the_picture_and_the_motion_and_no_more():
    canvas = torch.arange(2 * 3 * 5 * 2 * 12.0).reshape(2, 3, 5, 2, 12)
    panel = given(canvas, 3)
    assert torch.equal(panel, given(canvas[..., :8]))
    back = onto_canvas(panel, 3)
    assert torch.equal(back[..., :8], onto_canvas(panel))
    assert not back[..., 8:].any()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAMILIES)
def test_foundations_take_a_wider_canvas_as_they_are(checkpoint, name):
    backbone = FAMILIES[name](Source(str(checkpoint(name))))
    backbone.resize(32 * 32, 9)
    backbone.train_for(replace(backbone.contract, auxiliary="depth"))
    shown: list[tuple[int, ...]] = []
    predict = backbone.denoise
    backbone.denoise = lambda x, sigma, text: (shown.append(tuple(x.shape)), predict(x, sigma, text))[1]
    driving, beside = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 3), np.uint8)
    session = Session(backbone, SamplerSettings(steps=1))
    made = np.concatenate(list(session.animate(driving[0], driving, "a cup", auxiliary=beside)))
    assert made.shape == driving.shape
    assert shown[0][-2:] == (32 // backbone.facts.spatial_stride, 3 * 32 // backbone.facts.spatial_stride)


@pytest.mark.filterwarnings("ignore")
def test_a_plan_counts_the_third_panel(checkpoint):
    sketch = Wan.sketched(Source(str(checkpoint("wan2.1"))))
    sketch.resize(64 * 64, 9)
    two = Stage(sketch, 64, 64).need(Savings())
    sketch.train_for(replace(sketch.contract, auxiliary="depth"))
    three = Stage(sketch, 64, 64).need(Savings())
    assert three.tokens == two.tokens * 3 / 2
    assert three.step_flops > 1.3 * two.step_flops
    assert three.encoding > two.encoding
    assert three.decoding == two.decoding
