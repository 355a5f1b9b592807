"""The mini's text encoder: words to vectors by hashing, so that there is no vocabulary to ship or to miss."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_WORD = re.compile(r"[a-z0-9]+")


def tokens(prompts: Sequence[str], length: int, buckets: int) -> Tensor:
    """Hashes the words of each prompt; 0 fills the rest and is all there is of an empty prompt.

    Args:
        prompts: English text.
        length: tokens kept of each.
        buckets: size of the table; words fall on 1 .. buckets - 1.

    Returns:
        int64, ``(b, length)``.
    """
    rows = []
    for prompt in prompts:
        row = [1 + zlib.crc32(word.encode()) % (buckets - 1) for word in _WORD.findall(prompt.lower())[:length]]
        rows.append(row + [0] * (length - len(row)))
    return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), length)


class WordEncoder(nn.Module):
    """Embeds hashed words and their places. Trained together with the denoiser, which has the text's own layers."""

    def __init__(self, width: int, length: int, buckets: int) -> None:
        super().__init__()
        self.length = length
        self.buckets = buckets
        self.word = nn.Embedding(buckets, width)
        self.place = nn.Parameter(torch.zeros(length, width))

    def forward(self, rows: Tensor) -> Tensor:
        """Features of token rows: int64 ``(b, length)`` to ``(b, length, width)``."""
        return self.word(rows) + self.place
