"""What a foundation backbone will need on a card, without its weights: memory phase by phase, and arithmetic.

Weights are counted from the networks' own configurations, intermediate results by a rehearsal of the backbone's own
code (``rehearsal.py``) on tensors without content. ``benchmarks/plan.py`` compares the latter with reality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from diptych.method.incontext import Condition, Window, canvas_mask, model_input, opening, output_latents
from diptych.models.adapters import ADAPTER, LoraSettings, add_adapter
from diptych.models.foundation import Foundation
from diptych.models.rehearsal import META, Rehearsal, rehearse
from diptych.models.savings import Savings, StepCache, Storage

GIB = 1 << 30

_CONTEXT = 0.8 * GIB
"""What CUDA and its libraries take on a card before anything is loaded, bytes; not measured here."""

_LOST = 1.05
"""Share by which an allocator holds more than is alive."""

_STATES = 20
"""Bytes for every number that learns: weight, gradient, two moments and the moving average, 32 bits each."""

_STREAMED = 2
"""Portions of offloaded weights that lie on the card at once: the one in use and the one on its way."""


@dataclass(frozen=True)
class Need:
    """What one window of a session needs, in bytes and operations.

    Attributes:
        networks: weights of the transformers on the device.
        vae: weights of the VAE there.
        encoders: weights of text and picture encoders, which are let go before the first step.
        in_main_memory: weights of the transformers that wait in main memory.
        encoding: intermediate results while the canvas goes through the VAE.
        denoising: the same in a step.
        decoding: the same while the result is decoded.
        step_flops: operations of one pass of the network.
        vae_flops: operations of encoding the canvas and decoding the result.
        tokens: of the canvas, as attention sees them.
    """

    networks: int
    vae: int
    encoders: int
    in_main_memory: int
    encoding: int
    denoising: int
    decoding: int
    step_flops: float
    vae_flops: float
    tokens: int

    @property
    def phases(self) -> dict[str, int]:
        """Bytes on the card in each phase."""
        resident = {
            "reading": self.encoders + self.vae,
            "encoding": self.networks + self.vae + self.encoding,  # networks are there from the second window on
            "denoising": self.networks + self.vae + self.denoising,
            "decoding": self.networks + self.vae + self.decoding,
        }
        return {name: round(_LOST * bytes_ + _CONTEXT) for name, bytes_ in resident.items()}

    @property
    def card(self) -> int:
        """Most bytes on the card."""
        return max(self.phases.values())

    @property
    def main_memory(self) -> int:
        """Most bytes beside it: what waits there, and what is read before it is moved to the card."""
        return max(self.in_main_memory, self.networks) + self.vae + self.encoders


@dataclass(frozen=True)
class TrainingNeed:
    """What a process needs that trains an adapter with one draw at a time, in bytes and operations.

    Attributes:
        frozen: weights of the networks, which stay as they are.
        learning: numbers of the adapter.
        block: weights of the largest block.
        results: intermediate results at their most, there and back.
        flops: operations of one draw, there and back.
    """

    frozen: int
    learning: int
    block: int
    results: int
    flops: float

    def keeping(self, predictions: int) -> TrainingNeed:
        """The same with so many predictions on their way back at once, where one draw is one prediction."""
        return replace(self, results=predictions * self.results, flops=predictions * self.flops)

    def card(self, processes: int, *, split: bool) -> int:
        """Most bytes on a card.

        Args:
            processes: cards that work together.
            split: whether weights are split between them (``fsdp2``), or whole on each.
        """
        states = _STATES * self.learning
        if split and processes > 1:
            # The block in use and the one that is fetched meanwhile are whole.
            resident = (self.frozen + states) / processes + 2 * self.block
        else:
            # Several processes exchange gradients through buffers of their own.
            resident = self.frozen + states + (4 * self.learning if processes > 1 else 0)
        return round(_LOST * (resident + self.results) + _CONTEXT)


def _forget_gradient(weight: Tensor) -> None:
    weight.grad = None


@dataclass(eq=False)
class Stage:
    """A sketched backbone and a size of canvas; what is rehearsed once is remembered.

    Attributes:
        backbone: from :meth:`Foundation.sketched`.
        height: of a panel, pixels.
        width: of a panel, pixels.
        encoders: bytes of text and picture encoders.
        predictions: of the network in a step: two where an unprompted one is made too.
    """

    backbone: Foundation
    height: int
    width: int
    encoders: int = 0
    predictions: int = 2
    _steps: dict[StepCache | None, Rehearsal] = field(default_factory=dict)
    _learning: dict[bool, Rehearsal] = field(default_factory=dict)
    _coding: dict[bool, tuple[Rehearsal, Rehearsal]] = field(default_factory=dict)

    def need(self, savings: Savings) -> Need:
        """What a window needs with some savings."""
        resident, waiting, passing = weights(self.backbone.networks, savings)
        step = self._step(savings.step_cache)
        encoding, decoding = self._code(savings.vae_tiling)
        *_, t, h, w = self._latents.shape
        return Need(
            networks=resident,
            vae=_bytes(self.backbone.vae),
            encoders=self.encoders,
            in_main_memory=waiting,
            encoding=encoding.peak_bytes,
            denoising=step.peak_bytes + passing,
            decoding=decoding.peak_bytes,
            step_flops=self.predictions * step.flops,
            vae_flops=encoding.flops + decoding.flops,
            tokens=t * h * w // _patch(self.backbone.transformer.config) ** 2,
        )

    def training(self, lora: LoraSettings, *, checkpointing: bool = True) -> TrainingNeed:
        """What training an adapter needs with one draw at a time; the sketch has the adapter on it afterwards.

        Args:
            lora: size of the adapter.
            checkpointing: whether results within blocks are made again on the way back.
        """
        networks = self.backbone.networks
        frozen = sum(_bytes(network) for network in networks)
        for network in networks:
            if ADAPTER not in getattr(network, "peft_config", {}):
                with torch.device(META):
                    add_adapter(network, self.backbone.facts.feed_forward, lora)
                # In what autocast computes; what is stored is counted below.
                for weight in network.parameters():
                    if weight.requires_grad:
                        weight.data = weight.data.to(network.dtype)
                        weight.register_post_accumulate_grad_hook(_forget_gradient)
        weights_ = [weight for network in networks for weight in network.parameters() if weight.requires_grad]
        if checkpointing not in self._learning:
            for network in networks:
                (network.enable_gradient_checkpointing if checkpointing else network.disable_gradient_checkpointing)()
            self._learning[checkpointing] = rehearse(self._learn, learning=True)
        blocks = [
            block
            for network in networks
            for part in network.children()
            if isinstance(part, nn.ModuleList)
            for block in part
        ]
        found = self._learning[checkpointing]
        return TrainingNeed(
            frozen=frozen,
            learning=sum(weight.numel() for weight in weights_),
            block=max(_bytes(block) for block in blocks),
            results=found.peak_bytes,
            flops=found.flops,
        )

    def _learn(self) -> None:
        """One draw, there and back."""
        noisy = self._latents
        condition = self._condition(noisy)
        v = self.backbone.denoise(model_input(noisy, condition), torch.ones(1), self.backbone.stand_in())
        # A tensor's own method would put the rehearsal's modes aside on the way back.
        torch.autograd.backward((v - noisy).square().mean())

    @property
    def _window(self) -> Window:
        contract = self.backbone.contract
        return opening(contract.window_frames, contract.lead_in)

    @property
    def _latents(self) -> Tensor:
        facts = self.backbone.facts
        cells = 1 + (self._window.frames - 1) // facts.temporal_stride
        sides = self.height // facts.spatial_stride, self._panels * self.width // facts.spatial_stride
        return torch.empty(1, facts.latent_channels, cells, *sides, device=META)

    @property
    def _panels(self) -> int:
        return self.backbone.contract.panels

    def _condition(self, noisy: Tensor) -> Condition:
        """A condition without content that goes with latents of a canvas."""
        width = noisy.shape[-1] // self._panels
        mask = canvas_mask(self._window, noisy.shape[-2], width, panels=self._panels)
        return self.backbone.fold_mask(Condition(torch.empty_like(noisy), mask.to(META)))

    def _step(self, cache: StepCache | None) -> Rehearsal:
        """One pass of the network; with a step cache two steps, so that what is kept between them is there."""
        if cache not in self._steps:
            backbone, noisy = self.backbone, self._latents
            condition = self._condition(noisy)
            told = [backbone.stand_in() for _ in range(self.predictions)]
            rounds = 1 if cache is None else 2

            def steps() -> None:
                for features in rounds * told:
                    backbone.denoise(model_input(noisy, condition), torch.ones(1), features)

            backbone.cache_steps(cache)
            found = rehearse(steps)
            backbone.cache_steps(None)
            flops = found.flops / (rounds * len(told))
            self._steps[cache] = replace(found, flops=flops)
        return self._steps[cache]

    def _code(self, tiled: bool) -> tuple[Rehearsal, Rehearsal]:
        """Encoding the canvas, and decoding the panel of the result."""
        if tiled not in self._coding:
            vae, latents = self.backbone.vae, self._latents
            (vae.enable_tiling if tiled else vae.disable_tiling)()
            canvas = torch.empty(1, 3, self._window.frames, self.height, self._panels * self.width, device=META)
            self._coding[tiled] = (
                rehearse(lambda: self.backbone.encode_canvas(canvas)),
                rehearse(lambda: self.backbone.decode(output_latents(latents, self._panels))),
            )
        return self._coding[tiled]


def weights(networks: Sequence[nn.Module], savings: Savings) -> tuple[int, int, int]:
    """Where the weights of networks lie.

    Args:
        networks: on the meta device, in the type they compute in.
        savings: that are meant.

    Returns:
        Bytes that stay on the device, that wait in main memory, and that come and go during a step.
    """
    sizes = [_stored(network, savings.storage) for network in networks]
    wide = max(_bytes(layer) for network in networks for layer in network.modules() if isinstance(layer, nn.Linear))
    passing = wide if savings.storage else 0  # widened for use
    if savings.offload is None:
        return sum(sizes), 0, passing
    share = sum(sizes) / sum(_bytes(network) for network in networks)
    if savings.offload == "leaf":
        return 0, sum(sizes), passing + round(_STREAMED * share * wide)
    blocks = [part for network in networks for part in network.children() if isinstance(part, nn.ModuleList)]
    largest = max(_bytes(block) for stack in blocks for block in stack)
    # What is in no stack of blocks is a portion of its own.
    rest = max(_bytes(network) for network in networks) - sum(
        _bytes(part) for part in networks[0].children() if isinstance(part, nn.ModuleList)
    )
    return 0, sum(sizes), passing + round(share * (_STREAMED * largest + rest))


def _stored(network: nn.Module, storage: Storage | None) -> int:
    """Bytes of a network's weights as they are kept: linear layers in 8 bits where asked, all else as it computes."""
    total = _bytes(network)
    if storage is not None:
        linear = [layer.weight for layer in network.modules() if isinstance(layer, nn.Linear)]
        total -= sum(weight.numel() * (weight.element_size() - 1) for weight in linear)
    return total


def _bytes(module: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in [*module.parameters(), *module.buffers()])


def _patch(config: Any) -> int:
    """Latent cells a side of a token."""
    patch = config.patch_size
    return int(patch[-1] if isinstance(patch, (list, tuple)) else patch)
