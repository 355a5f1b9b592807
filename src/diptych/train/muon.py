"""Muon for weights of any shape: a convolution's kernel is trained as the matrix from its inputs to its outputs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diptych.train.precision import halves


class FlatMuon(torch.optim.Muon):
    """torch's Muon on two-dimensional views of the weights, which it otherwise refuses, all of one shape at once.

    The views share memory with the weights, so weights must be on their device before this is made. Steps are
    orthogonalised in bfloat16 as torch's own are, and in float32 where bfloat16 is emulated.
    """

    def __init__(self, weights: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        self._weights = list(weights)
        self._views = [nn.Parameter(w.detach().view(w.shape[0], -1)) for w in self._weights]
        super().__init__(self._views, lr=lr, momentum=0.95, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step from the gradients that lie on the weights."""
        loss = None if closure is None else closure()
        for view, weight in zip(self._views, self._weights, strict=True):
            view.grad = None if weight.grad is None else weight.grad.view(view.shape)
        for group in self.param_groups:
            shapes = defaultdict(list)
            for weight in (w for w in group["params"] if w.grad is not None):
                shapes[weight.shape].append(weight)
            for weights in shapes.values():
                self._step_alike(weights, group)
        return loss

    def _step_alike(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Steps matrices of one shape: a kernel for all of them, where a GPU would idle between as many small ones."""
        rate, momentum, (rows, columns) = group["lr"], group["momentum"], weights[0].shape
        gradients: list[Tensor] = [weight.grad for weight in weights if weight.grad is not None]
        for weight, gradient in zip(weights, gradients, strict=True):
            if "momentum_buffer" not in self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(gradient)
        buffers = [self.state[weight]["momentum_buffer"] for weight in weights]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        ahead = torch.stack(torch._foreach_lerp(gradients, buffers, momentum))  # Nesterov's; (matrices, rows, columns)
        if halves("auto", ahead.device.type):
            ahead = ahead.bfloat16()
        turned = orthogonalised(ahead, group["ns_coefficients"], group["ns_steps"], group["eps"]).to(weights[0])
        torch._foreach_mul_(weights, 1 - rate * group["weight_decay"])
        torch._foreach_add_(weights, turned.unbind(), alpha=-rate * math.sqrt(max(1.0, rows / columns)))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of weights and views."""
        for weight in self._weights:
            weight.grad = None
        super().zero_grad(set_to_none)


def orthogonalised(matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """About the nearest matrices whose singular values are one, by Newton and Schulz's iteration, in their own type.

    Args:
        matrices: ``(n, rows, columns)``.
        coefficients: of the iteration's polynomial.
        steps: how often.
        eps: least norm.
    """
    a, b, c = coefficients
    is_wide = matrices.shape[1] <= matrices.shape[2]
    wide = matrices if is_wide else matrices.mT
    x = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if is_wide else x.mT
