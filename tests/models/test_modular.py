"""The canvas as blocks of diffusers' ModularPipeline makes what our own sampler makes."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from diptych.animate.sampler import SamplerSettings, sample
from diptych.method.incontext import canvas_condition, opening, output_latents
from diptych.models.adapters import LoraSettings, add_adapter, save_adapter
from diptych.models.foundation import Source
from diptych.models.hunyuan15 import Hunyuan15
from diptych.models.wan import Wan

pytestmark = pytest.mark.filterwarnings("ignore")
PROMPT, STEPS, LEAD_IN, GUIDANCE = "a bird waves its wings", 3, 5, 4.0


def inputs(frames=7):
    rng = np.random.default_rng(4)
    pixels = torch.from_numpy(rng.integers(0, 256, (3, frames + 1, 64, 64), dtype=np.uint8)).float() / 127.5 - 1
    return pixels[:, 0], pixels[:, 1:]


def ours(backbone, reference, driving):
    window = opening(LEAD_IN + 8, LEAD_IN)
    condition = canvas_condition(
        backbone.encode_canvas, reference[None], driving[None], window, empty=backbone.facts.empty
    )
    settings = SamplerSettings(steps=STEPS, guidance_scale=GUIDANCE)
    latents = sample(backbone, condition, [PROMPT], settings, torch.Generator().manual_seed(6), reference[None])
    return backbone.decode(output_latents(latents))


def theirs(blocks, folder, reference, driving, lora=None):
    from diffusers import ClassifierFreeGuidance

    pipe = blocks().init_pipeline(str(folder))
    pipe.load_components(torch_dtype=torch.float32)
    pipe.update_components(guider=ClassifierFreeGuidance(guidance_scale=GUIDANCE))
    if lora is not None:
        pipe.load_lora_weights(lora)
    made = pipe(
        prompt=PROMPT,
        negative_prompt="",
        reference=reference,
        driving=driving,
        lead_in=LEAD_IN,
        num_inference_steps=STEPS,
        generator=torch.Generator().manual_seed(6),
        output_type="pt",
    )
    return torch.as_tensor(made.get("videos")).movedim(1, 2) * 2 - 1


@pytest.mark.parametrize("name", ["hunyuan15", "wan2.1"])
def test_blocks_and_sampler_make_the_same(checkpoint, name):
    from diptych.models.modular import HunyuanCanvasBlocks, WanCanvasBlocks

    reference, driving = inputs()
    kind, blocks = {"hunyuan15": (Hunyuan15, HunyuanCanvasBlocks), "wan2.1": (Wan, WanCanvasBlocks)}[name]
    wanted = ours(kind(Source(str(checkpoint(name)))), reference, driving)
    made = theirs(blocks, checkpoint(name), reference, driving)
    assert made.shape == wanted.shape == (1, 3, 13, 64, 64)
    assert (made - wanted).abs().max() < 1e-4


def adapted(backbone, folder):
    """Puts an adapter on that says something, and saves it."""
    add_adapter(backbone.transformer, backbone.facts.feed_forward, LoraSettings(rank=2))
    generator = torch.Generator().manual_seed(0)
    for parameter in backbone.transformer.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    save_adapter(folder, [backbone.transformer], backbone.contract)


def test_an_adapter_of_ours_works_in_the_ecosystem(checkpoint, tmp_path):
    from diptych.models.modular import HunyuanCanvasBlocks

    reference, driving = inputs()
    backbone = Hunyuan15(Source(str(checkpoint("hunyuan15"))))
    plain = ours(backbone, reference, driving)
    adapted(backbone, tmp_path / "adapter")
    wanted = ours(backbone, reference, driving)
    assert (wanted - plain).abs().max() > 1e-3
    made = theirs(HunyuanCanvasBlocks, checkpoint("hunyuan15"), reference, driving, tmp_path / "adapter")
    assert (made - wanted).abs().max() < 1e-4


def test_the_example_in_the_documentation_runs(checkpoint, tmp_path):
    """Word for word, but for where weights and adapter lie, and in float32, which every processor computes in."""
    page = (Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) == 1
    adapted(Hunyuan15(Source(str(checkpoint("hunyuan15")))), tmp_path / "adapter")
    code = examples[0]
    for name, place in (
        ("hunyuanvideo-community/HunyuanVideo-1.5-480p_i2v", checkpoint("hunyuan15")),
        ("ADAPTER", tmp_path / "adapter"),
    ):
        assert code.count(f'"{name}"') == 1
        code = code.replace(f'"{name}"', repr(str(place)))
    code = code.replace("torch.bfloat16", "torch.float32")
    picture, frames = inputs()
    known = {"picture": picture, "frames": frames}
    exec(code, known)  # the page is ours
    videos = torch.as_tensor(np.asarray(known["videos"]))
    # A lead-in of 25 frames, and the driver's 7 in two cells of four.
    assert sorted(videos.shape[1:]) == [3, 33, 64, 64]
    assert torch.isfinite(videos.float()).all()
