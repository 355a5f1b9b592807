"""The mini's VAE: linear patches with a learned decoder's touch.

A patch is 16 x 16 pixels of frame 0, or of four later frames. It becomes its coordinates along the directions in which
the patches of its world differ most (principal components), which are found in a minute and are the best that any
linear code can do. A small convolutional network then mends what the linear decoder leaves: edges between patches, lost
detail. It has no posterior to sample: it is a deterministic autoencoder with a scaled code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn

SIDE, FRAMES = 16, 4
"""Pixels and frames of a patch."""

FIRST, REST = 3 * SIDE * SIDE, 3 * SIDE * SIDE * FRAMES
"""Numbers in a patch of frame 0 and of later frames."""

_AT_ONCE = 4096
"""Vectors whose products are summed in single precision before they join the double-precision sum."""

_SPARE, _ROUNDS = 64, 4
"""Directions looked for beyond those that are kept, and rounds of looking: what is kept then falls short of the most
that can be kept by less than a millionth."""

_CELL = 4  # pixels a side that the mending network folds into channels


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """Size of the patch autoencoder.

    Attributes:
        channels: numbers that stand for a patch.
        width: channels of the mending network.
        blocks: residual blocks of the mending network.
    """

    channels: int = 128
    width: int = 64
    blocks: int = 3

    def __post_init__(self) -> None:
        """Refuses sizes that no file of a mini has, before memory is asked for.

        Raises:
            ValueError: naming the size.
        """
        refuse_beyond(self, channels=768, width=1024, blocks=64)


def refuse_beyond(config: Any, **largest: int) -> None:
    """Refuses a configuration whose sizes are not from 1 to the largest.

    Raises:
        ValueError: naming the first such size.
    """
    for name, limit in largest.items():
        if not 1 <= getattr(config, name) <= limit:
            raise ValueError(f"{name} must be from 1 to {limit}, not {getattr(config, name)}")


def to_patches(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Cuts clips into patches.

    Args:
        pixels: ``(b, 3, t, h, w)``, t = 1 + 4k, h and w multiples of 16.

    Returns:
        Patches of frame 0, ``(b, 1, h', w', 768)``, and of the rest, ``(b, k, h', w', 3072)``.
    """
    b, c, t, h, w = pixels.shape
    cells = pixels.reshape(b, c, t, h // SIDE, SIDE, w // SIDE, SIDE).permute(
        0, 2, 3, 5, 1, 4, 6
    )  # (b, t, h', w', c, 16, 16)
    first, rest = cells[:, :1], cells[:, 1:]
    rest = rest.reshape(b, (t - 1) // FRAMES, FRAMES, *rest.shape[2:]).permute(0, 1, 3, 4, 2, 5, 6, 7)
    return first.flatten(4), rest.flatten(4)


def from_patches(first: Tensor, rest: Tensor) -> Tensor:
    """The inverse of :func:`to_patches`."""
    b, k, rows, columns, _ = rest.shape
    later = rest.reshape(b, k, rows, columns, FRAMES, 3, SIDE, SIDE).permute(0, 1, 4, 2, 3, 5, 6, 7)
    cells = torch.cat([first.reshape(b, 1, rows, columns, 3, SIDE, SIDE), later.flatten(1, 2)], dim=1)
    return cells.permute(0, 4, 1, 2, 5, 3, 6).reshape(b, 3, -1, rows * SIDE, columns * SIDE)


COLOURS = tuple(permutations(range(3)))
"""Ways to exchange the three colours."""


def alike(frames: int) -> list[Tensor]:
    """What may be done to a patch without leaving the made-up world: mirrored or not, its colours exchanged.

    Args:
        frames: of the patch.

    Returns:
        Orders of a patch's numbers, int64, for every one of ``COLOURS`` first the patch as it is and then mirrored.
    """
    places = torch.arange(frames * 3 * SIDE * SIDE).reshape(frames, 3, SIDE, SIDE)
    return [moved.flatten() for colours in COLOURS for moved in (places[:, colours], places[:, colours].flip(-1))]


class LinearCode(nn.Module):
    """Coordinates of vectors along their principal components, and back.

    Components are scaled between their own size and equal size (by the root of their deviation), so that a loss on the
    code minds detail without forgetting what carries most of the picture.
    """

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.eye(size, channels))
        self.register_buffer("scale", torch.ones(channels))

    def encode(self, vectors: Tensor) -> Tensor:
        """``(..., size)`` to ``(..., channels)``, about unit variance on average."""
        return (vectors - self.mean) @ (self.basis / self.scale)

    def decode(self, code: Tensor) -> Tensor:
        """The nearest vectors that the code can say, ``(..., size)``."""
        return (code * self.scale) @ self.basis.T + self.mean

    @torch.no_grad()
    def recoded(self, order: Tensor) -> Tensor:
        """What a change of the order of the vectors' numbers does to their codes: ``code @ matrix``, ``(c, c)``.

        Exact where the code was fitted with that order among those that are alike, but for what no code keeps.
        """
        return (self.scale[:, None] * self.basis.T[:, order]) @ (self.basis / self.scale)

    @torch.no_grad()
    def fit(self, moments: Moments, orders: Sequence[Tensor] = ()) -> None:
        """Takes the principal components of the vectors that the moments have seen.

        Args:
            moments: of the vectors.
            orders: a group of orders of their numbers: as though every vector had been seen in each of them.
        """
        mean, covariance = moments.mean_and_covariance()
        if orders:
            mean = torch.stack([mean[order] for order in orders]).mean(0)
            covariance = sum(covariance[order][:, order] for order in orders) / len(orders)  # type: ignore[assignment]
        channels = len(self.scale)
        directions, variances = _leading(covariance, channels)
        deviation = variances.clamp_min(0).sqrt()
        # A direction in which nothing differed yet must not blow up the first patch that does.
        deviation = deviation.clamp_min(1e-3 * float(deviation[0]) + 1e-6)
        self.mean.copy_(mean)
        self.basis.copy_(directions)
        self.scale.copy_((deviation * deviation.mean()).sqrt())


def _leading(covariance: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The directions of greatest variance, ``(size, count)``, and their variances, ``(count,)``, greatest first.

    By randomised subspace iteration, always from the same first directions: of 3,072 a full decomposition takes seven
    times as long, and all but 128 would be thrown away.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = torch.svd_lowrank(covariance, q=min(len(covariance), count + _SPARE), niter=_ROUNDS)
    directions, variances, _ = found
    return directions[:, :count], variances[:count]


class Moments:
    """Running mean and covariance of vectors, in double precision."""

    def __init__(self, size: int) -> None:
        self._count = 0
        self._sum = torch.zeros(size, dtype=torch.float64)
        self._products = torch.zeros(size, size, dtype=torch.float64)
        self._waiting: list[Tensor] = []

    def add(self, vectors: Tensor) -> None:
        """Adds vectors ``(..., size)``."""
        self._waiting.append(vectors.reshape(-1, vectors.shape[-1]))
        if sum(map(len, self._waiting)) >= _AT_ONCE:
            self._take_in()

    def _take_in(self) -> None:
        # Many at once: one large product in single precision costs far less than many small ones.
        if self._waiting:
            flat = torch.cat(self._waiting)
            self._count += len(flat)
            self._sum += flat.double().sum(0)
            self._products += (flat.T @ flat).double()
            self._waiting = []

    def mean_and_covariance(self) -> tuple[Tensor, Tensor]:
        """``(size,)`` and ``(size, size)``."""
        self._take_in()
        mean = self._sum / self._count
        return mean, self._products / self._count - mean[:, None] * mean[None, :]


class PatchVae(nn.Module):
    """Clips to codes of their patches and back.

    Pixels are ``(b, 3, t, h, w)`` in [-1, 1]; codes ``(b, channels, t', h', w')`` of about unit variance.
    """

    def __init__(self, config: PatchConfig) -> None:
        super().__init__()
        self.first = LinearCode(FIRST, config.channels)
        self.rest = LinearCode(REST, config.channels)
        self.mend = Mend(config.width, config.blocks)

    def encode(self, pixels: Tensor) -> Tensor:
        """Codes of clips; the same function for a canvas and for a panel."""
        first, rest = to_patches(pixels)
        codes = torch.cat([self.first.encode(first), self.rest.encode(rest)], dim=1)
        return codes.permute(0, 4, 1, 2, 3)

    def decode(self, codes: Tensor) -> Tensor:
        """Clips of codes: the linear decoder, then the mending network."""
        return self.mend(self.decode_linear(codes))

    def decode_linear(self, codes: Tensor) -> Tensor:
        """Clips of codes by the linear decoder alone: the inverse of :meth:`encode` up to what was left out."""
        last = codes.permute(0, 2, 3, 4, 1)
        return from_patches(self.first.decode(last[:, :1]), self.rest.decode(last[:, 1:]))

    def fit(self, clips: Iterable[Tensor], *, varied: bool = False) -> None:
        """Finds the components; deterministic.

        Args:
            clips: ``(b, 3, t, h, w)``.
            varied: as though each had been seen mirrored and in exchanged colours too (:func:`alike`).
        """
        first, rest = Moments(FIRST), Moments(REST)
        for clip in clips:
            for moments, patches in zip((first, rest), to_patches(clip), strict=True):
                moments.add(patches)
        self.first.fit(first, alike(1) if varied else ())
        self.rest.fit(rest, alike(FRAMES) if varied else ())


class Mend(nn.Module):
    """Mends decoded clips: a residual network on 4 x 4 pixel cells that knows where in its patch each cell lies."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        folded = 3 * _CELL * _CELL
        self.into = nn.Conv3d(folded, width, (1, 3, 3), padding=(0, 1, 1))
        self.place = nn.Parameter(torch.zeros(width, 1, SIDE // _CELL, SIDE // _CELL))
        self.moment = nn.Parameter(torch.zeros(width, 1 + FRAMES, 1, 1))
        self.blocks = nn.ModuleList(MendBlock(width) for _ in range(blocks))
        self.out = nn.Conv3d(width, folded, (1, 3, 3), padding=(0, 1, 1))
        nn.init.zeros_(self.out.weight)  # starts as the linear decoder
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Tensor:
        """Clips ``(b, 3, t, h, w)`` to clips of the same shape."""
        b, _, t, h, w = pixels.shape
        rows, columns = h // _CELL, w // _CELL
        x = pixels.reshape(b, 3, t, rows, _CELL, columns, _CELL).permute(
            0, 1, 4, 6, 2, 3, 5
        )  # (b, 3, 4, 4, t, h/4, w/4)
        x = self.into(x.flatten(1, 3))
        moments = torch.cat([self.moment[:, :1], self.moment[:, 1:].repeat(1, (t - 1) // FRAMES, 1, 1)], dim=1)
        x = x + self.place.repeat(1, 1, h // SIDE, w // SIDE) + moments
        for block in self.blocks:
            x = block(x)
        x = self.out(x).reshape(b, 3, _CELL, _CELL, t, rows, columns).permute(0, 1, 4, 5, 2, 6, 3)
        return pixels + x.reshape(b, 3, t, h, w)


class MendBlock(nn.Module):
    """Space, time, space, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(),
            nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1)),
            nn.SiLU(),
            nn.Conv3d(width, width, (3, 1, 1), padding=(1, 0, 0)),
            nn.SiLU(),
            nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(b, width, t, h, w)`` to the same shape."""
        return x + self.layers(x)
