"""The mini: Diptych's own small backbone, trained here on puppets, running on any CPU.

Its denoiser is diffusers' Motif transformer with dual-stream blocks only, at a few million parameters; its VAE codes
patches (``patches.py``). What is trained is all of it; there is no foundation beneath.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from diptych.method.contract import Contract
from diptych.method.diffusion import TIMESTEPS, Euler, per_sample, velocity_to
from diptych.method.incontext import Condition
from diptych.models.locator import Locator
from diptych.models.patches import PatchVae, refuse_beyond
from diptych.models.protocol import Facts
from diptych.models.sight import Remembered, Sight, given, onto_canvas, to_cells
from diptych.models.words import WordEncoder, tokens
from diptych.types import Picture, Stand

FACTS = Facts(
    name="mini",
    latent_channels=128,
    spatial_stride=16,
    temporal_stride=4,
    empty="latents",
    feed_forward=r"transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)",
    attention=r"transformer_blocks\.\d+\.attn\.(to_q|to_k|to_v|to_out\.0)",
    steps=1,
    guidance_scale=1.0,
    continues=False,
    fast="fill",
)


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig:
    """Size of the mini's transformer and text encoder.

    Attributes:
        heads: attention heads of 32 channels each.
        blocks: dual-stream blocks.
        layers: how many layers of figures it learns to see (``Denoiser.forward``): 1, or 1 and one for each limb.
        sight: channels of the network that looks at what is given (``sight.py``); 0 has none.
        text_width: channels of a word.
        text_length: words kept of a prompt.
        text_buckets: size of the table of words.
    """

    heads: int = 6
    blocks: int = 4
    layers: int = 1
    sight: int = 0
    text_width: int = 64
    text_length: int = 24
    text_buckets: int = 1024

    def __post_init__(self) -> None:
        """Refuses sizes that no file of a mini has, before memory is asked for.

        Raises:
            ValueError: naming the size.
        """
        if self.sight:
            refuse_beyond(self, sight=256)
        refuse_beyond(self, heads=64, blocks=64, layers=64, text_width=1024, text_length=1024, text_buckets=1 << 16)


SIGMA_FLOOR = 0.1
"""Below this sigma the clean canvas is as good as reached; velocities are not divided by less."""


def contract(panel_area: int = 64 * 64) -> Contract:
    """What the mini is trained for, at a given size."""
    return Contract(
        backbone="mini",
        motion="rgb",
        layout="full",
        empty=FACTS.empty,
        mask_rule="all-frames",
        lead_in=5,
        history=4,
        window_frames=17,
        panel_area=panel_area,
        panel_multiple=FACTS.spatial_stride,
        fps=(6.0, 30.0),
        # What is to be made is mostly decided near pure noise, since the motion is given: sigmas crowd there.
        sigma_shift=3.0,
        loss_region="output",
        text=True,
        motion_fit="figure",
    )


FIGURES = 64
"""Channels of a layer that says where figures or a limb of theirs are: in four frames of four by four parts a cell."""

PLACES = 11
"""Channels that tell a cell where it is; see :func:`places`."""


class Denoiser(nn.Module):
    """Transformer and text encoder: all that the denoising loss trains.

    Inside, the network predicts the clean canvas and the velocity follows from it: a canvas has far fewer directions
    than noise has, and a narrow network need not carry the noise through to its output. For the same reason it is
    spared the noise that says nothing: cells that are given show none, the others as much as can be believed.
    """

    def __init__(self, config: DenoiserConfig, channels: int = FACTS.latent_channels) -> None:
        super().__init__()
        from diffusers import MotifVideoTransformer3DModel

        self.config = config
        self.words = WordEncoder(config.text_width, config.text_length, config.text_buckets)
        self.sight = Sight(config.layers, config.sight, channels) if config.sight else None
        self.remembered: Remembered | None = None
        self.transformer = MotifVideoTransformer3DModel(
            in_channels=2 * channels + 1 + PLACES + (config.layers * FIGURES if config.sight else 0),
            out_channels=channels + config.layers * FIGURES,
            patch_size=1,
            num_single_layers=0,
            num_layers=config.blocks,
            num_attention_heads=config.heads,
            attention_head_dim=32,
            text_embed_dim=config.text_width,
            rope_axes_dim=(8, 12, 12),
            rope_theta=32.0,  # a canvas is a few cells wide: slower waves would tell no two of them apart
        )
        self.transformer.rope = PanelRope(self.transformer.rope)
        _start_gently(self.transformer)

    @torch.no_grad()
    def look(self, known: Tensor, panels: int = 2) -> Tensor | None:
        """How likely figures and limbs are in the cells that are given, as one panel (``sight.given``).

        Args:
            known: latents of what is known, ``(b, c, t', h', 2w')``.
            panels: of the canvas.

        Returns:
            ``(b, layers * FIGURES, t', h', w')`` in [0, 1], or None without sight. No gradient: sight is trained first,
            by itself.
        """
        if self.sight is None:
            return None
        sight, panel = self.sight, given(known, panels)

        def look(shown: Tensor) -> Tensor:
            return to_cells(sight(shown)).sigmoid()

        return look(panel) if self.remembered is None else self.remembered(look, panel)

    def forward(
        self, x: Tensor, sigma: Tensor, rows: Tensor, looked: Tensor | None = None, panels: int = 2
    ) -> tuple[Tensor, Tensor]:
        """The velocity, and where figures and limbs are: in the finished left panel, and in the motion that is shown.

        The latter is asked for in training only. Who has to say where the driver's limbs are, and where they will be on
        the other side, whatever anybody looks like, reads motion long before colours and edges alone would teach it.

        Args:
            x: model input, ``(b, 2c + 1, t', h', 2w')``.
            sigma: in [0, 1], ``(b,)``.
            rows: token rows of the prompts, int64 ``(b, length)``.
            looked: from :meth:`look`, where it is known already.
            panels: of the canvas.

        Returns:
            ``(b, c, t', h', 2w')``, and the logits of coverage, ``(b, layers * FIGURES, t', h', 2w')``.
        """
        noisy, known, mask = x.split([(x.shape[1] - 1) // 2, (x.shape[1] - 1) // 2, 1], dim=1)
        seen = believed(noisy, sigma) * (1 - mask)
        shown = [seen, known, mask, places(x, panels)]
        self.transformer.rope.panels = panels
        if self.sight is not None:
            looked = self.look(known, panels) if looked is None else looked
            assert looked is not None
            shown.append(onto_canvas(looked.to(x), panels))
        told = self.transformer(
            hidden_states=torch.cat(shown, dim=1),
            timestep=sigma * TIMESTEPS,
            encoder_hidden_states=self.words(rows),
            return_dict=False,
        )[0]
        clean, figures = told.tensor_split([noisy.shape[1]], dim=1)
        return velocity_to(clean, noisy, sigma.clamp_min(SIGMA_FLOOR)), figures


def believed(noisy: Tensor, sigma: Tensor) -> Tensor:
    """What noisy latents of unit variance say about the clean ones, by the best linear guess: nothing at sigma 1.

    Args:
        noisy: ``(b, ...)``.
        sigma: in [0, 1], ``(b,)``.
    """
    s = per_sample(sigma, noisy)
    return noisy * (1 - s) / ((1 - s).square() + s.square())


def places(canvas: Tensor, panels: int = 2) -> Tensor:
    """Where every cell of a canvas is: in its panel, in time, and in which panel.

    Args:
        canvas: ``(b, ..., t', h', 2w')``; its shape, type and device count.
        panels: of the canvas.

    Returns:
        ``(b, PLACES, t', h', 2w')``: for row, column in its panel and time a line and a wave from end to end, then
        -1 in the left panel, 1 in the motion panel and 3 in an auxiliary one, then 1 in frame 0.
    """
    b, (t, h, w2) = canvas.shape[0], canvas.shape[-3:]
    row, time = (torch.linspace(-1, 1, n, device=canvas.device) for n in (h, t))
    column = torch.linspace(-1, 1, w2 // panels, device=canvas.device).repeat(panels)
    side = (2 * torch.arange(panels, device=canvas.device) - 1.0).repeat_interleave(w2 // panels)
    first = (torch.arange(t, device=canvas.device) == 0).float()
    lines = [row[None, :, None], column[None, None, :], time[:, None, None]]
    waves = [wave(torch.pi * line) for line in lines for wave in (torch.sin, torch.cos)]
    told = [*lines, *waves, side[None, None, :], first[:, None, None]]
    return torch.stack([one.expand(t, h, w2) for one in told]).to(canvas).expand(b, -1, -1, -1, -1)


class PanelRope(nn.Module):
    """Rotary places that count columns from the left edge of every panel.

    So the same place in all panels is no step apart, whatever the width of a panel: where to look for the motion of a
    cell is one thing to learn and not one for every shape of picture.

    Attributes:
        panels: of the canvas that comes next; the transformer around hands on the canvas and nothing else.
    """

    def __init__(self, rope: nn.Module, panels: int = 2) -> None:
        super().__init__()
        self.rope = rope
        self.panels = panels

    def forward(self, canvas: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines, ``(t' h' 2w', head)``."""
        t, h, w2 = canvas.shape[-3:]
        w = w2 // self.panels
        panel = self.rope(canvas[..., :w])
        cosines, sines = (one.unflatten(0, (t, h, w)).repeat(1, 1, self.panels, 1).flatten(0, 2) for one in panel)
        return cosines, sines


def _start_gently(transformer: nn.Module) -> None:
    """Every block starts as half of itself for all noise levels alike, and the output as nothing."""
    for name, module in transformer.named_modules():
        if name.endswith(("norm1", "norm1_context")):
            nn.init.zeros_(module.linear.weight)
            with torch.no_grad():
                # Shift, scale and gate of the attention, then of the feed-forward.
                width = module.linear.bias.shape[0] // 6
                module.linear.bias.copy_(torch.tensor([0.0, 0.0, 0.5, 0.0, 0.0, 0.5]).repeat_interleave(width))
    nn.init.zeros_(transformer.proj_out.weight)  # type: ignore[arg-type, union-attr]
    nn.init.zeros_(transformer.proj_out.bias)  # type: ignore[arg-type, union-attr]


@dataclass(frozen=True, eq=False)
class MiniBackbone:
    """The mini behind the Backbone protocol.

    Attributes:
        vae: pixels to latents and back.
        denoiser: transformer and text encoder; None where only the VAE is there yet.
        contract: what the weights were trained for.
        locator: where the contract wants drivers brought to the reference's place.
        notes: how the weights came to be (steps, samples, score), for run.json and ``doctor``.
        identity: hashes of its files.
    """

    vae: PatchVae
    denoiser: Denoiser | None
    contract: Contract
    locator: Locator | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    identity: dict[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> Facts:
        """What the mini is."""
        return FACTS

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.vae.mend.place.device

    @property
    def networks(self) -> tuple[Any, ...]:
        """The transformer, on which adapters lie."""
        return (self._denoiser.transformer,)

    @property
    def locate(self) -> Callable[[Picture], Stand] | None:
        """Says where figures stand in a picture, where drivers are brought to the reference's place."""
        return None if self.locator is None else self.locator.locate

    def encode_text(self, prompts: Sequence[str], references: Tensor | None = None) -> Tensor:
        """Token rows, int64 ``(b, length)``; the words' vectors are part of the denoiser."""
        words = self._denoiser.words
        return tokens(prompts, words.length, words.buckets).to(self.device)

    def encode_canvas(self, pixels: Tensor) -> Tensor:
        """Pixels ``(b, 3, t, h, 2w)`` to latents ``(b, 128, t', h', 2w')``, float32."""
        return self.vae.encode(pixels).float()

    def fold_mask(self, condition: Condition) -> Condition:
        """The mini takes the mask as it is, one channel."""
        return condition

    def denoise(self, x: Tensor, sigma: Tensor, text: Tensor) -> Tensor:
        """The velocity, float32."""
        v, _ = self._denoiser(x, sigma, text, panels=self.contract.panels)
        return v.float()

    def solver(self, steps: int, shape: Sequence[int]) -> Euler:
        """Euler steps on the contract's schedule, whatever the canvas's size."""
        return Euler(steps, self.contract.sigma_shift)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents of one panel to pixels, float32, clamped to [-1, 1]."""
        return self.vae.decode(latents).float().clamp(-1, 1)

    @property
    def _denoiser(self) -> Denoiser:
        if self.denoiser is None:
            raise ValueError("this mini has a VAE but no denoiser yet")
        return self.denoiser
