"""A backbone that can be reasoned about: lossless on pictures of plain 16 x 16 blocks, and it copies the driver.

Its latents hold the colours of four frames in twelve channels; its velocity leads to a canvas whose left panel shows,
cell for cell, what is given there, else what the motion panel shows, whatever stands beside that. So every result frame
must equal the driver's frame it answers, and any slip of a window by one frame is seen.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from diptych.data.cache import Bucket, pack_bits
from diptych.method.contract import Contract
from diptych.method.diffusion import Euler
from diptych.method.incontext import compose, split
from diptych.models.locator import Locator, LocatorConfig
from diptych.models.mini import Denoiser, DenoiserConfig, contract
from diptych.models.patches import PatchConfig, PatchVae
from diptych.models.protocol import Facts
from diptych.models.store import save_denoiser, save_locator, save_vae

FACTS = Facts(
    name="blocks",
    latent_channels=12,
    spatial_stride=16,
    temporal_stride=4,
    empty="latents",
    feed_forward="none",
    attention="none",
    steps=1,
    guidance_scale=1.0,
)


@dataclass
class Blocks:
    """Behind the Backbone protocol; remembers every input of its network."""

    contract: Contract = field(default_factory=lambda: replace(contract(panel_area=32 * 32), motion_fit="frame"))
    facts: Facts = FACTS
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    seen: list[torch.Tensor] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    identity: dict[str, str] = field(default_factory=dict)

    def encode_text(self, prompts, references=None):
        self.prompts += prompts

    def solver(self, steps, shape):
        return Euler(steps, self.contract.sigma_shift)

    def encode_canvas(self, pixels):
        b, c, t, h, w = pixels.shape
        colours = pixels.reshape(b, c, t, h // 16, 16, w // 16, 16).mean(dim=(4, 6))
        padded = torch.cat([colours[:, :, :1].expand(-1, -1, 3, -1, -1), colours], dim=2)
        return padded.reshape(b, c, -1, 4, h // 16, w // 16).transpose(2, 3).reshape(b, 12, -1, h // 16, w // 16)

    def fold_mask(self, condition):
        return condition

    def denoise(self, x, sigma, text):
        self.seen.append(x)
        noisy, condition, mask = x[:, :12], x[:, 12:24], x[:, 24:]
        left, right, *more = split(condition, self.contract.panels)
        given = split(mask, self.contract.panels)[0]
        wanted = compose(given * left + (1 - given) * right, right, *more)
        return (noisy - wanted) / sigma.reshape(-1, 1, 1, 1, 1)

    def decode(self, latents):
        b, _, t, h, w = latents.shape
        colours = latents.reshape(b, 3, 4, t, h, w).transpose(2, 3).reshape(b, 3, 4 * t, h, w)[:, :, 3:]
        return colours.repeat_interleave(16, dim=3).repeat_interleave(16, dim=4)


def plain_blocks(count, height=32, width=32, seed=0):
    """Frames of plain 16 x 16 blocks of random colour, uint8 ``(count, height, width, 3)``."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (count, height // 16, width // 16, 3), dtype=np.uint8)
    return colours.repeat(16, axis=1).repeat(16, axis=2)


def patch_vae(config):
    """A patch autoencoder with any orthonormal directions, quickly made, and a network that does mend."""
    generator = torch.Generator().manual_seed(0)
    vae = PatchVae(config)
    for code in (vae.first, vae.rest):
        code.basis.copy_(torch.linalg.qr(torch.randn(code.basis.shape, generator=generator)).Q)
    for weight in vae.mend.parameters():
        torch.nn.init.normal_(weight, std=0.05, generator=generator)
    return vae.eval()


def bucket_of(latent) -> Bucket:
    """Encoded draws of one shape as a cache hands them out, figures and all."""
    return Bucket(
        torch.stack([d.target for d in latent]).half(),
        torch.stack([d.condition for d in latent]).half(),
        torch.tensor([(d.window.frames, d.window.lead_in, d.window.history) for d in latent], dtype=torch.int32),
        [d.prompt for d in latent],
        pack_bits(torch.stack([d.figures for d in latent])),
    )


def random_denoiser(config: DenoiserConfig) -> Denoiser:
    """A denoiser that says something: a fresh one's output starts at zero."""
    denoiser = Denoiser(config).eval()
    with torch.no_grad():
        denoiser.transformer.proj_out.weight.normal_(0, 0.2)
    return denoiser


def random_locator(config: LocatorConfig) -> Locator:
    """A locator that says something of every picture: a fresh one says the same of all."""
    locator = Locator(config).eval()
    torch.nn.init.normal_(locator.out.weight, std=0.1)
    return locator


def save_random_mini(folder):
    """The files of a mini with random weights at a quarter of the size, the same ones every time; gives the folder."""
    torch.manual_seed(0)
    vae, denoiser = PatchConfig(width=8, blocks=1), DenoiserConfig(heads=2, blocks=1, layers=2, sight=8)
    locator = LocatorConfig(width=8, hidden=8)
    save_locator(folder / "locator.safetensors", random_locator(locator), locator, {})
    save_vae(folder / "vae.safetensors", patch_vae(vae), vae, {})
    save_denoiser(folder / "denoiser.safetensors", random_denoiser(denoiser), denoiser, contract(32 * 32), {})
    return folder
