"""Muon for weights of any shape: a convolution's kernel is trained as the matrix from its inputs to its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diptych.train.precision import halves


class FlatMuon(torch.optim.Muon):
    """torch's Muon on two-dimensional views of the weights, which it otherwise refuses.

    The views share memory with the weights, so weights must be on their device before this is made. torch's own steps
    orthogonalise in bfloat16; where that is emulated, the same is done in float32 here.
    """

    def __init__(self, weights: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        self._weights = list(weights)
        self._views = [nn.Parameter(w.detach().view(w.shape[0], -1)) for w in self._weights]
        super().__init__(self._views, lr=lr, momentum=0.95, weight_decay=weight_decay)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step from the gradients that lie on the weights."""
        for view, weight in zip(self._views, self._weights, strict=True):
            view.grad = None if weight.grad is None else weight.grad.view(view.shape)
        if self._views and halves("auto", self._views[0].device.type):
            return super().step(closure)
        loss = None if closure is None else closure()
        self._step_in_full()
        return loss

    @torch.no_grad()
    def _step_in_full(self) -> None:
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for weight in (w for w in group["params"] if w.grad is not None):
                state = self.state[weight]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(weight.grad)
                buffer = state["momentum_buffer"].lerp_(weight.grad, 1 - momentum)
                ahead = weight.grad.lerp(buffer, momentum)  # Nesterov's
                turned = orthogonalised(ahead, group["ns_coefficients"], group["ns_steps"], group["eps"])
                rows, columns = weight.shape
                weight.mul_(1 - rate * group["weight_decay"])
                weight.add_(turned, alpha=-rate * math.sqrt(max(1.0, rows / columns)))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of weights and views."""
        for weight in self._weights:
            weight.grad = None
        super().zero_grad(set_to_none)


def orthogonalised(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """About the nearest matrix whose singular values are one, by Newton and Schulz's iteration, in the matrix's type.

    Args:
        matrix: ``(rows, columns)``.
        coefficients: of the iteration's polynomial.
        steps: how often.
        eps: least norm.
    """
    a, b, c = coefficients
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / wide.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide is matrix else x.T
