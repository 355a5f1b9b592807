"""A network's kernels, recorded once for every shape of its inputs and replayed: CUDA graphs.

A GPU is done with a kernel of a small network in a few microseconds, and Python takes longer to ask for the next one.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn


class Replayed(nn.Module):
    """A module on a CUDA device, forward and backward; what cannot be recorded is run as it is, and that is said.

    What comes out lies where the next call writes: use it before that. Only for training, with inputs that need no
    gradient and weights that stay where they are. Inputs that are no tensors, such as a large model's features of text
    by their names, are none to record.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._recorded: dict[Any, nn.Module] = {}
        # One memory for all: what a shape left there is read before another shape is run.
        self._memory: Any = None

    def forward(self, *inputs: Any) -> Any:
        """As the module's own."""
        kind = tuple((tuple(one.shape), one.dtype) if isinstance(one, Tensor) else None for one in inputs)
        if kind not in self._recorded:
            self._recorded[kind] = self.module if None in kind else self._record(*inputs)
        return self._recorded[kind](*inputs)

    def _record(self, *inputs: Tensor) -> nn.Module:
        # torch puts the replay in the place of its module's forward: every shape needs a module of its own for that.
        shell = _Shell(self.module).train()
        samples = tuple(one.detach().clone() for one in inputs)
        try:
            self._memory = self._memory or torch.cuda.graph_pool_handle()
            torch.cuda.make_graphed_callables(shell, samples, allow_unused_input=True, pool=self._memory)
        except RuntimeError as error:
            print(f"Not recorded, so slower: {str(error).splitlines()[0]}", file=sys.stderr)
            torch.cuda.synchronize()
            return self.module
        return shell


class _Shell(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *inputs: Tensor) -> Any:
        return self.inner(*inputs)
