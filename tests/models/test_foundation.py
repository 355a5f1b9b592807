"""Foundation backbones against diffusers' own pipelines, on small random checkpoints in the real format.

A canvas of one panel without motion is plain image-to-video: there our backbone and sampler must make what the
family's pipeline makes, from the same noise, prompt and number of steps.
"""

import numpy as np
import pytest
import torch
from PIL import Image

from diptych.animate.sampler import SamplerSettings, sample
from diptych.method.incontext import Condition
from diptych.method.pixels import to_pixels
from diptych.models.foundation import Source
from diptych.models.hunyuan15 import Hunyuan15
from diptych.models.motif import Motif
from diptych.models.wan import Wan

pytestmark = pytest.mark.filterwarnings("ignore")
PROMPT, STEPS, FRAMES, SIDE = "a bird waves its wings", 4, 9, 64

KINDS = {"hunyuan15": Hunyuan15, "wan2.1": Wan, "wan2.1-euler": Wan, "wan2.2": Wan, "motif": Motif}


def picture(side=SIDE):
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def opened(checkpoint, name):
    return KINDS[name](Source(str(checkpoint(name))))


def one_panel(backbone, generator=None):
    """The condition of plain image-to-video: the picture in frame 0, nothing after it.

    With a generator the first frame's latents are drawn from their posterior, as Motif's pipeline does.
    """
    shown = to_pixels(picture()[None])[:, :, 0]
    pixels = torch.zeros(1, 3, FRAMES, SIDE, SIDE)
    pixels[:, :, 0] = shown
    latents = backbone.encode_canvas(pixels)
    mask = torch.zeros_like(latents[:, :1])
    mask[:, :, 0] = 1
    if generator is not None:
        drawn = backbone._vae.encode(pixels[:, :, :1]).latent_dist.sample(generator=generator)
        latents[:, :, :1] = backbone._normalised(drawn)
    if backbone.facts.empty == "latents":
        latents[:, :, 1:] = 0
    return Condition(latents, mask), shown


def stock(folder, name, guidance_scale):
    import diffusers

    pipelines = {
        "hunyuan15": "HunyuanVideo15ImageToVideoPipeline",
        "wan2.1": "WanImageToVideoPipeline",
        "wan2.1-euler": "WanImageToVideoPipeline",
        "wan2.2": "WanImageToVideoPipeline",
        "motif": "MotifVideoImage2VideoPipeline",
    }
    pipeline = getattr(diffusers, pipelines[name]).from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    asked = {"image": Image.fromarray(picture()), "prompt": PROMPT, "num_frames": FRAMES, "num_inference_steps": STEPS}
    if name != "hunyuan15":
        asked |= {"height": SIDE, "width": SIDE}
    if name.startswith("wan"):
        asked["guidance_scale"] = guidance_scale
    else:
        pipeline.guider = diffusers.guiders.ClassifierFreeGuidance(guidance_scale=guidance_scale)
    generator = torch.Generator().manual_seed(5)
    return pipeline, pipeline(**asked, output_type="latent", generator=generator).frames


@pytest.mark.parametrize("guidance_scale", [1.0, 4.5])
@pytest.mark.parametrize("name", KINDS)
def test_plain_image_to_video_is_the_familys_own(checkpoint, name, guidance_scale):
    pipeline, wanted = stock(checkpoint(name), name, guidance_scale)
    backbone = opened(checkpoint, name)
    noise = torch.Generator().manual_seed(5)
    posterior = None
    if name == "motif":
        # Its pipeline draws the noise first and the first frame's posterior after it, from one generator.
        posterior = torch.Generator().manual_seed(5)
        torch.randn(wanted.shape, generator=posterior)
    condition, shown = one_panel(backbone, posterior)
    settings = SamplerSettings(steps=STEPS, guidance_scale=guidance_scale)
    made = sample(backbone, condition, [PROMPT], settings, noise, shown)
    assert made.shape == wanted.shape
    assert (made - wanted).abs().max() < 1e-5 * wanted.abs().max()
    # And what is compared does depend on prompt, picture and steps.
    other = sample(backbone, condition, ["two cats"], settings, torch.Generator().manual_seed(5), shown)
    assert (other - wanted).abs().max() > 1e-3
    with torch.no_grad():
        frames = backbone.decode(made)
    assert frames.shape == (1, 3, FRAMES, SIDE, SIDE)
    stock_frames = pipeline.vae.decode(backbone._denormalised(wanted), return_dict=False)[0].clamp(-1, 1)
    assert torch.allclose(frames, stock_frames, atol=1e-4)
