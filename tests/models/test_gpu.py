"""What a CPU cannot show: run where a CUDA device is."""

import pytest
import torch

from diptych.animate.sampler import SamplerSettings, sample
from diptych.method.incontext import canvas_condition, opening
from diptych.models.budget import Stage
from diptych.models.foundation import Source
from diptych.models.hunyuan15 import Hunyuan15
from diptych.models.motif import Motif
from diptych.models.savings import Savings
from diptych.models.store import load_mini
from diptych.models.wan import Wan

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.filterwarnings("ignore"),
]
FAMILIES = {"hunyuan15": Hunyuan15, "wan2.1": Wan, "wan2.2": Wan, "motif": Motif}


def made(folder, name, savings=None, dtype=torch.bfloat16, device="cuda"):
    backbone = FAMILIES[name](Source(str(folder), dtype=dtype, device=device))
    if savings is not None:
        backbone.save(savings)
    g = torch.Generator().manual_seed(2)
    reference, motion = torch.rand(1, 3, 32, 32, generator=g) * 2 - 1, torch.rand(1, 3, 8, 32, 32, generator=g) * 2 - 1
    condition = canvas_condition(
        backbone.encode_canvas,
        reference.to(device),
        motion.to(device),
        opening(13, 5),
        empty=backbone.facts.empty,
    )
    settings = SamplerSettings(steps=4, guidance_scale=3.0)
    latents = sample(backbone, condition, ["a cup"], settings, torch.Generator().manual_seed(1), reference)
    return latents.float().cpu()


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_card_makes_what_the_processor_makes(checkpoint, name):
    wanted = made(checkpoint(name), name, dtype=torch.float32, device="cpu")
    assert apart(made(checkpoint(name), name, dtype=torch.float32), wanted) < 1e-2
    assert apart(made(checkpoint(name), name), wanted) < 0.2


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("savings", [{"offload": "block"}, {"offload": "leaf"}, {"attention": "native"}], ids=str)
def test_what_moves_weights_around_changes_nothing(checkpoint, name, savings):
    plain = made(checkpoint(name), name, dtype=torch.float32)
    assert apart(made(checkpoint(name), name, Savings(**savings), dtype=torch.float32), plain) < 1e-3


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("savings", [{"storage": "fp8"}, {"step_cache": "taylor"}, {"compile": True}], ids=str)
def test_what_changes_a_little_runs(checkpoint, name, savings):
    assert torch.isfinite(made(checkpoint(name), name, Savings(**savings))).all()


def test_a_plan_holds_on_the_card():
    """Half a billion parameters: what is predicted for a step, against the peak that PyTorch saw."""
    import diffusers

    sketch = Wan.sketched(release="wan2.1")
    with torch.device("cuda"):
        network = diffusers.WanTransformer3DModel(in_channels=36, num_attention_heads=12, ffn_dim=8960, num_layers=8)
    network = network.to(torch.bfloat16).eval()
    with torch.device("meta"):
        drawn = diffusers.WanTransformer3DModel(in_channels=36, num_attention_heads=12, ffn_dim=8960, num_layers=8)
    sketch._networks = (drawn.to(torch.bfloat16).eval(),)
    sketch.resize(None, 49)
    predicted = Stage(sketch, 480, 832, predictions=1).need(Savings()).denoising
    x = torch.randn(1, 36, 13, 60, 208, device="cuda", dtype=torch.bfloat16)
    words = torch.randn(1, 512, 4096, device="cuda", dtype=torch.bfloat16)
    torch.cuda.reset_peak_memory_stats()
    idle = torch.cuda.memory_allocated()
    with torch.no_grad():
        network(x, torch.ones(1, device="cuda"), words, return_dict=False)
    measured = torch.cuda.max_memory_allocated() - idle
    assert predicted == pytest.approx(measured, rel=0.15)


def test_the_mini_runs_on_the_card():
    here, there = load_mini(), load_mini(device="cuda")
    x = torch.randn(1, 257, 5, 4, 8, generator=torch.Generator().manual_seed(0))
    rows = here.encode_text(["a cup"])
    with torch.no_grad():
        wanted = here.denoise(x, torch.ones(1), rows)
        got = there.denoise(x.cuda(), torch.ones(1).cuda(), rows.cuda()).cpu()
    assert apart(got, wanted) < 1e-2
