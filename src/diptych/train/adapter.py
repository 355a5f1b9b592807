"""Training of an adapter on any backbone: the flow-matching loss on cached draws, through the backbone's own verbs.

Nothing here knows which network it is, nor what the motion panel shows: footage or skeletons are the draws' affair. The
network stays as it was; matrices beside its feed-forward layers learn (paper section 3.2).
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from diptych.animate.sampler import SamplerSettings, denoised
from diptych.data.cache import Bucket, Shelf
from diptych.data.canvases import LatentDraw, collate
from diptych.media.image import write_image
from diptych.media.psnr import decibels
from diptych.media.sheet import contact_sheet
from diptych.method.contrast import (
    ContrastSettings,
    counts,
    derangement,
    generated_error,
    missed_margin,
    with_others,
)
from diptych.method.diffusion import clean_from_velocity, draw_sigmas, noised, per_sample, seeded, velocity
from diptych.method.incontext import compose, model_input, output_latents, region_loss, split
from diptych.method.pixels import to_frames
from diptych.models.adapters import LoraSettings, add_adapter
from diptych.models.protocol import Backbone, Facts
from diptych.train.denoiser import by_sigma

Targets = Literal["ff", "ff+attention", "full"]
"""What learns: the paper's feed-forward layers, attention's projections too, or the whole network and no adapter."""

_SHARED = 1 << 20
"""Stands where parts of a batch have their numbers: what is drawn for all parts of a step alike."""

_SHOWN = 4
"""Held-out draws on a contact sheet."""

_TRIES = 1 << 10
"""Sigmas drawn to find one on an expert's side."""


@dataclass(frozen=True, kw_only=True)
class NoiseSettings:
    """Which noise levels are trained on, and how much each counts.

    Attributes:
        spread: of the logit-normal law; None draws evenly. Either is moved by the contract's shift.
        pure_share: share of the samples at sigma 1, where sampling starts and nothing but the motion helps.
        floor: least sigma.
        least_weighted: below this sigma errors count less, by the square of their share of it; 0 counts all alike.
    """

    spread: float | None = 1.0
    pure_share: float = 0.0
    floor: float = 0.0
    least_weighted: float = 0.0


class Adapted(nn.Module):
    """A backbone's prediction as one function of noise and condition, so that precision and processes can wrap it.

    Args:
        backbone: whose verb it is.
        networks: all that runs in it.
    """

    def __init__(self, backbone: Backbone, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.backbone = backbone
        # By names of their own: a list of modules would look like a stack of blocks.
        for number, network in enumerate(networks):
            self.add_module(f"network_{number}", network)

    def forward(self, x: Tensor, sigma: Tensor, text: Any) -> Tensor:
        """The velocity, as :meth:`diptych.models.protocol.Backbone.denoise`."""
        return self.backbone.denoise(x, sigma, text)


def target_layers(facts: Facts, targets: Targets) -> str:
    """Regular expression of the layers that an adapter lies on."""
    return {"ff": facts.feed_forward, "ff+attention": f"{facts.feed_forward}|{facts.attention}"}[targets]


def adapt(networks: Sequence[Any], facts: Facts, targets: Targets, lora: LoraSettings, seed: int) -> list[str]:
    """Puts fresh adapters on a backbone's networks, or makes all of them learn.

    Args:
        networks: of the backbone; in evaluation mode, on whatever device.
        facts: of the backbone.
        targets: what is to learn.
        lora: size of the adapter.
        seed: of its first values.

    Returns:
        Names of what learns, network by network. Its weights are float32 whatever the network's are: steps of 5e-5
        are lost in 16 bits.
    """
    names: list[str] = []
    for network in networks:
        if targets == "full":
            network.requires_grad_(True)
            names += [name for name, _ in network.named_parameters()]
            continue
        torch.manual_seed(seed)
        names += add_adapter(network, target_layers(facts, targets), lora)
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    return names


@dataclass(frozen=True, eq=False)
class AdapterTask:
    """The velocity's error on cached draws.

    Attributes:
        module: the backbone's networks, of which adapters alone learn.
        backbone: in which the same networks lie; its contract is the one that is trained for.
        buckets: cached draws by shape.
        batch: draws that a process runs at once.
        accumulated: so many times a step.
        noise: which noise levels.
        held_out: draws that are never trained on.
        made_for: what the cache was made for; a run goes on only with the same.
        settings: plain values that must stay the same for a run to go on, beside those above.
        preview_steps: of the solver.
        boundary: sigma from which on, upwards, another expert answers; None where there is one.
        seed: of what all parts of a step share.
        contrast: how much wrong drivers and references count.
    """

    module: Adapted
    backbone: Backbone
    buckets: Mapping[str, Bucket | Shelf]
    batch: int
    noise: NoiseSettings
    held_out: tuple[LatentDraw, ...]
    made_for: str
    accumulated: int = 1
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    preview_steps: int = 1
    boundary: float | None = None
    seed: int = 0
    contrast: ContrastSettings = dataclasses.field(default_factory=ContrastSettings)

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes, the contract and the cache."""
        draws = sum(len(bucket) for bucket in self.buckets.values())
        sizes = {"batch": self.batch, "accumulated": self.accumulated, "noise": asdict(self.noise), "draws": draws}
        agreed = dataclasses.asdict(self.backbone.contract)
        if agreed["auxiliary"] == "none":
            del agreed["auxiliary"]  # as runs said it that began before there was such a panel
        wrongs = {"contrast": asdict(self.contrast)} if self.contrast.wrongs else {}
        return {**sizes, "made_for": self.made_for, "contract": agreed, **wrongs, **self.settings}

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """The matrices of adapters, or of blocks where the whole network learns."""
        return [
            p
            for name, p in module.named_parameters()
            if p.requires_grad and p.ndim == 2 and (".lora_" in name or "blocks." in name)
        ]

    def parts(self, step: int) -> int:
        """As often as gradients are to be added up."""
        return self.accumulated

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Velocity error of a batch of one shape.

        All parts of a step have one shape, drawn by how many draws have it, and ask one expert: processes need not wait
        for the one with the longest window.
        """
        shared = seeded(self.seed, step, _SHARED)
        sizes = torch.tensor([len(bucket) for bucket in self.buckets.values()], dtype=torch.float64)
        bucket = list(self.buckets.values())[int(torch.multinomial(sizes, 1, generator=shared))]
        rows = torch.randint(len(bucket), (self.batch,), generator=generator).tolist()
        draws = bucket.take(rows)
        panels = self.backbone.contract.panels
        target, condition = collate(draws, panels)
        noise = torch.randn(target.shape, generator=generator)
        sigma = self._sigmas(generator, shared)
        wrongs = self.contrast.wrongs
        # Drawn after all else: without the term everything is as it always was.
        order = derangement(self.batch, generator) if wrongs else torch.arange(self.batch)
        asked = [(target, condition), *(with_others(target, condition, order, wrong, panels) for wrong in wrongs)]
        device = next(module.parameters()).device
        x = [model_input(noised(clean, noise, sigma), self.backbone.fold_mask(known)) for clean, known in asked]
        text = _repeated(told(self.backbone, draws), len(asked))
        # One prediction of all: processes that split weights must ask equally often.
        predicted = module(torch.cat(x).to(device), sigma.repeat(len(asked)).to(device), _on(text, device)).float()
        right, *others = (
            (one - velocity(clean, noise).to(device)).square()
            for one, (clean, _) in zip(predicted.chunk(len(asked)), asked, strict=True)
        )
        least = self.noise.least_weighted
        weight = (sigma / least).clamp(max=1).square() if least else torch.ones_like(sigma)
        losses = region_loss(right * per_sample(weight, right), self.backbone.contract.loss_region, panels)
        loss, numbers = losses.mean(), by_sigma(losses.detach(), sigma)
        if others:
            counted = counts(rows, [draw.window for draw in draws], order, sigma, self.contrast.least_sigma)
            term = self._missed([right, *others], condition.mask, counted)
            loss, numbers["contrast"] = loss + self.contrast.weight * term, term.detach()
        return loss, numbers

    def _missed(self, errors: Sequence[Tensor], mask: Tensor, counted: Tensor) -> Tensor:
        """By how much wrong conditions miss the answer too little, in the mean.

        Args:
            errors: elementwise, under the right condition and then under each wrong one.
            mask: 1 = given.
            counted: which samples count, ``(b,)``.
        """
        right, *others = (generated_error(error, mask.to(error)) for error in errors)
        return torch.stack(
            [missed_margin(right, wrong, self.contrast.margin) * counted.to(wrong) for wrong in others]
        ).mean()

    def _sigmas(self, generator: torch.Generator, shared: torch.Generator) -> Tensor:
        """Noise levels of a batch, ``(b,)``: all on one expert's side of the boundary, where there are two."""
        noise, shift = self.noise, self.backbone.contract.sigma_shift
        sigma = draw_sigmas(self.batch, generator, shift, noise.spread)
        pure = torch.rand(self.batch, generator=generator) < noise.pure_share
        sigma = sigma.clamp_min(noise.floor).masked_fill(pure, 1.0)
        if self.boundary is None:
            return sigma
        # A first sigma, drawn like all, says whose turn it is; so either learns as often as it will be asked.
        first = 1.0 if float(torch.rand((), generator=shared)) < noise.pure_share else None
        first = float(draw_sigmas(1, shared, shift, noise.spread)) if first is None else first
        is_high = first >= self.boundary
        tried = draw_sigmas(_TRIES, generator, shift, noise.spread).clamp_min(noise.floor)
        fitting = tried[(tried >= self.boundary) == is_high]
        # Where the law leaves a side to almost nobody, even draws within it are as good.
        low, high = (self.boundary, 1.0) if is_high else (max(noise.floor, 1e-3), self.boundary - 1e-3)
        spare = low + (high - low) * torch.rand(self.batch, generator=generator)
        found = torch.cat([fitting, spare])[: self.batch]
        return found.masked_fill(pure, 1.0) if is_high else found

    @torch.no_grad()
    def preview(self, module: nn.Module, path: Path) -> dict[str, float]:
        """Held-out draws as the VAE keeps them: driver, truth and what the averaged weights make of them."""
        rows, scores = [], []
        for number, draw in enumerate(self.held_out):
            made = animate_latents(self.backbone, draw, self.preview_steps, seed=number)
            target = _there(draw.target[None].float(), module)
            parts = split(target, self.backbone.contract.panels)
            truth, driver = (to_frames(self.backbone.decode(part)) for part in parts[:2])
            new = slice(draw.window.first_new, None)
            error = np.square(made[new].astype(np.float64) - truth[new]).mean() / 255**2
            scores.append(decibels(error))
            if number < _SHOWN:
                rows += [(f"{number} driver", driver), ("truth", truth), (f"{scores[-1]:.1f} dB", made)]
        write_image(path, contact_sheet(rows, columns=9, height=96))
        gap = latent_driver_gap(self.backbone, self.held_out)
        return {"held_out_psnr_db": float(np.mean(scores)), "held_out_driver_gap": gap}


def told(backbone: Backbone, draws: Sequence[LatentDraw]) -> Any:
    """What a backbone is told of text and reference: cached features, or prompts read on the fly."""
    if draws[0].features is None:
        return backbone.encode_text([draw.prompt for draw in draws])
    return {name: torch.stack([(draw.features or {})[name] for draw in draws]) for name in draws[0].features}


def animate_latents(backbone: Backbone, draw: LatentDraw, steps: int, seed: int) -> np.ndarray:
    """What a backbone makes of one cached draw, without guidance: the whole left panel, uint8, ``(t, h, w, 3)``."""
    panels = backbone.contract.panels
    _, condition = collate([draw], panels)
    device = backbone.device
    condition = dataclasses.replace(condition, latents=condition.latents.to(device), mask=condition.mask.to(device))
    settings, generator = SamplerSettings(steps=steps), torch.Generator().manual_seed(seed)
    latents = denoised(backbone, condition, _on(told(backbone, [draw]), device), None, settings, generator)
    return to_frames(backbone.decode(output_latents(latents, panels)))


@torch.no_grad()
def latent_driver_gap(backbone: Backbone, draws: Sequence[LatentDraw]) -> float:
    """How much of what is left wrong at pure noise comes back when the driver is taken from another draw.

    The share by which the error in the latents of the new cells grows: 0 where the motion is not heard at all, however
    good the pictures look. Draws without another of their shape are left out.

    Args:
        backbone: with its networks.
        draws: at least two of one shape and window, or the answer is 0.
    """
    alike: dict[tuple[Any, ...], list[LatentDraw]] = defaultdict(list)
    for draw in draws:
        alike[(*draw.target.shape, draw.window)].append(draw)
    errors = [0.0, 0.0]  # with the right driver, with the next draw's
    device, panels = backbone.device, backbone.contract.panels
    for group in (group for group in alike.values() if len(group) > 1):
        new = slice(1 + (group[0].window.first_new - 1) // backbone.facts.temporal_stride, None)
        for number, draw in enumerate(group):
            target, condition = collate([draw], panels)
            target = target.to(device)
            noise = torch.randn(target.shape, generator=seeded(number)).to(target)
            sigma = torch.ones(1).to(target)
            text = _on(told(backbone, [dataclasses.replace(draw, prompt="")]), device)
            left, *driver = split(condition.latents, panels)
            _, *other = split(collate([group[(number + 1) % len(group)]], panels)[1].latents, panels)
            for which, shown in enumerate((driver, other)):
                mixed = backbone.fold_mask(dataclasses.replace(condition, latents=compose(left, *shown)))
                v = backbone.denoise(model_input(noise, mixed).to(target), sigma, text)
                squares = (clean_from_velocity(noise, v, sigma) - target).square()
                errors[which] += output_latents(squares, panels)[:, :, new].sum().item()
    right, wrong = errors
    return wrong / right - 1 if right else 0.0


def _on(text: Any, device: torch.device) -> Any:
    if isinstance(text, Mapping):
        return {name: value.to(device) for name, value in text.items()}
    return text.to(device)


def _repeated(text: Any, times: int) -> Any:
    """The same for so many batches in a row."""
    if times == 1:
        return text
    if isinstance(text, Mapping):
        return {name: torch.cat([value] * times) for name, value in text.items()}
    return torch.cat([text] * times)


def _there(value: Tensor, module: nn.Module) -> Tensor:
    return value.to(next(module.parameters()).device)
