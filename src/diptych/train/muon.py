"""Muon for weights of any shape: a convolution's kernel is trained as the matrix from its inputs to its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn


class FlatMuon(torch.optim.Muon):
    """torch's Muon on two-dimensional views of the weights, which it otherwise refuses.

    The views share memory with the weights, so weights must be on their device before this is made.
    """

    def __init__(self, weights: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        self._weights = list(weights)
        self._views = [nn.Parameter(w.detach().view(w.shape[0], -1)) for w in self._weights]
        super().__init__(self._views, lr=lr, momentum=0.95, weight_decay=weight_decay)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step from the gradients that lie on the weights."""
        for view, weight in zip(self._views, self._weights, strict=True):
            view.grad = None if weight.grad is None else weight.grad.view(view.shape)
        return super().step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of weights and views."""
        for weight in self._weights:
            weight.grad = None
        super().zero_grad(set_to_none)
