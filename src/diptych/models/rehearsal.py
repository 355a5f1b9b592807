"""A rehearsal: a network's own code run on tensors without content, to learn what the real run will need.

On PyTorch's meta device an operation knows shapes and computes nothing, so the full-size model of a card that nobody
has can be gone through in seconds. What is alive at every moment is counted, and so is the arithmetic; nothing is
estimated by a formula that would have to follow the code.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

META = torch.device("meta")


@dataclass(frozen=True)
class Rehearsal:
    """What a run will need beside the weights.

    Attributes:
        peak_bytes: most bytes of intermediate results alive at once.
        reordered_bytes: the same where convolutions copy what they read into an order of their own, and then what they
            made out of it, as they do on a CPU.
        flops: floating-point operations of matrix products, convolutions and attention.
    """

    peak_bytes: int
    reordered_bytes: int
    flops: float


def rehearse(run: Callable[[], Any], *, learning: bool = False) -> Rehearsal:
    """Goes through ``run`` on the meta device; modules that it uses must lie there.

    Args:
        run: what is to be gone through.
        learning: whether it goes back too, so that what the way back needs is kept.

    Tensors on the CPU may be mixed in where their values matter, such as masks by which tokens are chosen: they stay
    real, and become shapes where they meet a tensor without content.
    """
    attention = _FusedAttention()
    with torch.set_grad_enabled(learning), _vectorised(), _Alive() as alive, attention:
        run()
    return Rehearsal(alive.peak, alive.reordered, alive.flops + attention.flops)


class _Alive(TorchDispatchMode):
    """Counts the bytes of tensors without content, from when they are made to when nobody holds them any more.

    Operations are counted by torch's own formulas, but not by its own mode: that one holds what blocks make a second
    time on the way back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self.reordered = 0
        self.flops = 0.0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.device == META]
        for tensor in given:
            self._count(tensor.untyped_storage(), 0)  # a weight or an input: there before, and so are views of it
        if given:
            if func is torch.ops.aten.index.Tensor:
                args = (args[0], [_as_places(index) for index in args[1]])
            args, kwargs = tree_map_only(Tensor, _without_content, (args, kwargs))
            if kwargs.get("device") is not None:
                kwargs = {**kwargs, "device": META}  # moved to where values are: there are none
        made = func(*args, **kwargs)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += float(formula(*args, **kwargs, out_val=made))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor) and leaf.device == META:
                self._count(leaf.untyped_storage(), leaf.untyped_storage().nbytes())
        # The copy of what is read is gone before what was made is put in order, so they never lie beside each other.
        copied = max(_size(args[0]), _size(made)) if func is torch.ops.aten.convolution.default else 0
        self.reordered = max(self.reordered, self._now + copied)
        return made

    def _count(self, storage: torch.UntypedStorage, size: int) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _without_content(tensor: Tensor) -> Tensor:
    # Numbers without axes may stay: operations take them as they are.
    return tensor if tensor.device == META or tensor.ndim == 0 else tensor.to(META)


def _as_places(index: Tensor | None) -> Tensor | None:
    """A real mask as the places that it chooses, since a mask without content chooses nobody knows how many."""
    if index is not None and index.dtype == torch.bool and index.device != META and index.ndim == 1:
        return index.nonzero()[:, 0]
    return index


class _FusedAttention:
    """Attention as its fused kernels do it, without scores of all tokens by all tokens.

    The meta device knows the plain way only. It stands in the place of torch's own function, and not before it as a
    mode: modes are put aside on the way back, where blocks are gone through again.
    """

    def __init__(self) -> None:
        self.flops = 0.0

    def __enter__(self) -> _FusedAttention:
        self._stock = functional.scaled_dot_product_attention
        functional.scaled_dot_product_attention = self
        return self

    def __exit__(self, *failure: object) -> None:
        functional.scaled_dot_product_attention = self._stock

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, *rest: Any, **named: Any) -> Tensor:
        """As torch's own: ``(..., n, d)`` and ``(..., m, d)`` to ``(..., n, d)``."""
        if torch.is_grad_enabled():
            # Keeps queries, keys, values and the answer for the way back; torch has a formula for its work.
            asked = (_without_content(one) for one in (query, key, value))
            answer: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(*asked)[0]
            return answer
        pairs = query.numel() // query.shape[-1] * key.shape[-2]
        self.flops += 2.0 * pairs * (query.shape[-1] + value.shape[-1])
        return query.new_empty((*query.shape[:-1], value.shape[-1]), device=META)


@contextlib.contextmanager
def _vectorised() -> Iterator[None]:
    """Puts one operation in the place of a loop over tokens in HunyuanVideo-1.5's VAE: the same mask, only sooner."""
    from diffusers.models.autoencoders import autoencoder_kl_hunyuanvideo15 as module

    def mask(n_frame: int, n_hw: int, dtype: Any, device: Any, batch_size: int | None = None) -> Tensor:
        made = torch.full((n_frame * n_hw, n_frame * n_hw), float("-inf"), dtype=dtype, device=device)
        return made if batch_size is None else made.unsqueeze(0).expand(batch_size, -1, -1)

    block = module.HunyuanVideo15AttnBlock
    stock = block.__dict__["prepare_causal_attention_mask"]
    block.prepare_causal_attention_mask = staticmethod(mask)
    try:
        yield
    finally:
        block.prepare_causal_attention_mask = stock
