"""Wrong drivers and wrong references: what ought to make a prediction worse is made to. Beyond the paper, and off.

The loss asks for the right answer to the right question. It does not ask that the answer hangs on the driver's motion
and on the reference's looks: words, or what shines through little noise, may do as well. So samples of a batch are
asked once more with another sample's driver, or another's reference, and everything else as it was; the answer is then
to be missed by a margin. That is a hinge on the gap between both errors: it pulls no further once the gap is there, and
an answer cannot be made worse without bound. Only where noise hides the answer can its error depend on what is given,
so only those samples count.

Every kind costs one more prediction of the batch, forwards and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from diptych.method.incontext import Condition, compose, split

Wrong = Literal["motion", "identity"]
"""What is taken from another sample: the motion panel, or what is given of the other one."""


@dataclass(frozen=True, kw_only=True)
class ContrastSettings:
    """How much wrong conditions count.

    Attributes:
        weight: of the term beside the loss; 0 asks nothing of it.
        kind: what is taken from another sample: its driver, its reference, or one and then the other.
        margin: share by which an error is to be larger under a wrong condition.
        least_sigma: below this noise level a sample does not count.
    """

    weight: float = 0.0
    kind: Literal["motion", "identity", "both"] = "both"
    margin: float = 0.3
    least_sigma: float = 0.8

    def __post_init__(self) -> None:
        """Refuses what would turn the term round.

        Raises:
            ValueError: naming the field.
        """
        sound = {"weight": self.weight >= 0, "margin": self.margin >= 0, "least_sigma": 0 <= self.least_sigma <= 1}
        wrong = [name for name, holds in sound.items() if not holds]
        if wrong:
            raise ValueError(f"{wrong[0]} cannot be {getattr(self, wrong[0])}")

    @property
    def wrongs(self) -> tuple[Wrong, ...]:
        """What is taken from another sample, in turn; nothing where the term has no weight."""
        if not self.weight:
            return ()
        return ("motion", "identity") if self.kind == "both" else (self.kind,)


def derangement(count: int, generator: torch.Generator) -> Tensor:
    """An order in which nobody keeps their place: all move on by the same random number of places.

    Args:
        count: at least 2.
        generator: on the CPU.

    Returns:
        int64, ``(count,)``.

    Raises:
        ValueError: if there is nobody to change places with.
    """
    if count < 2:
        raise ValueError(f"a batch of {count} has no other sample whose driver could be wrong")
    shift = int(torch.randint(1, count, (), generator=generator))
    return torch.arange(count).roll(shift)


def with_others(
    target: Tensor, condition: Condition, order: Tensor, wrong: Wrong, panels: int = 2
) -> tuple[Tensor, Condition]:
    """Finished canvases and their conditions, in which one thing is another sample's and the answer is one's own.

    The noised canvas holds driver and reference too, so they change places there as well. Latents of two canvases meet,
    which were encoded apart; that is near enough to be wrong by.

    Args:
        target: latents of finished canvases, ``(b, c, t', h', 2w')``.
        condition: of the same samples, before the mask is folded.
        order: whose thing each sample takes, ``(b,)``; of the same window, or masks would not agree.
        wrong: what is taken; with the motion goes what a third panel shows of the driver.
        panels: of the canvases.
    """
    given = split(condition.mask, panels)[0].bool()

    def mixed(latents: Tensor) -> Tensor:
        left, *driver = split(latents, panels)
        if wrong == "motion":
            return compose(left, *(panel[order] for panel in driver))
        return compose(torch.where(given, left[order], left), *driver)

    return mixed(target), replace(condition, latents=mixed(condition.latents))


def generated_error(error: Tensor, mask: Tensor) -> Tensor:
    """Mean of an elementwise error over the cells that are generated, one number per sample, ``(b,)``.

    Args:
        error: ``(b, c, t', h', 2w')``, not negative.
        mask: 1 = given, ``(b or 1, 1, t', h', 2w')``.
    """
    made = (1 - mask).to(error).expand(len(error), -1, -1, -1, -1)
    summed = (error.mean(dim=1, keepdim=True) * made).flatten(1).sum(1)
    return summed / made.flatten(1).sum(1)


def missed_margin(right: Tensor, wrong: Tensor, margin: float) -> Tensor:
    """By how much the wrong condition's error falls short of the right one's and the margin; 0 where it does not.

    Gradients go through both: were the right error taken as it is, raising all errors alike would be a way out, and a
    network takes it (docs/training.md).

    Args:
        right: errors under the right condition, ``(b,)``.
        wrong: under the wrong one.
        margin: share by which they are to be larger.
    """
    return ((1 + margin) * right - wrong).clamp_min(0)


def counts(rows: Sequence[int], windows: Sequence[object], order: Tensor, sigma: Tensor, least: float) -> Tensor:
    """Which samples count: another draw of the same window is there to be wrong by, and noise hides the answer.

    Two draws of one source do meet now and then, and one is then called wrong where it is not; among thousands of draws
    that is rare.

    Args:
        rows: numbers of the draws in a batch; one may have been drawn twice.
        windows: theirs.
        order: from :func:`derangement`.
        sigma: ``(b,)``.
        least: noise level.

    Returns:
        bool, ``(b,)``.
    """
    others = order.tolist()
    differ = [rows[i] != rows[j] and windows[i] == windows[j] for i, j in enumerate(others)]
    return torch.tensor(differ) & (sigma >= least)
