from __future__ import annotations

import torch

from blocks import patch_vae
from diptych.data.cache import read_cache, write_shard
from diptych.data.draws import LAYERS
from diptych.data.footage_draws import wide_draw
from diptych.models.mini import FIGURES, contract
from diptych.models.patches import PatchConfig

AGREED = contract(32 * 32)


def encode(pixels):
    with torch.no_grad():
        return patch_vae(PatchConfig(width=8, blocks=1)).encode(pixels)


def test_a_number_is_a_window_of_a_canvas_of_which_all_is_known():
    draw, again = wide_draw(3, AGREED, encode), wide_draw(3, AGREED, encode)
    assert draw.target.shape[1] == 1 + (AGREED.window_frames - 1) // 4
    assert draw.target.shape[3] % 2 == 0
    assert draw.condition is draw.target
    assert torch.equal(draw.target, again.target)
    assert draw.figures.shape == (LAYERS * FIGURES, *draw.target.shape[1:])
    assert draw.figures.any()


def test_what_is_all_known_is_kept_once(tmp_path):
    made = {number: wide_draw(number, AGREED, encode) for number in range(64)}
    write_shard(tmp_path, 0, made.__getitem__, "test")
    buckets = read_cache(tmp_path, 64, "test")
    assert sum(len(bucket) for bucket in buckets.values()) == 64
    assert all(bucket.condition is bucket.target for bucket in buckets.values())
    shape, bucket = next(iter(buckets.items()))
    first = next(draw for draw in made.values() if "x".join(str(n) for n in draw.target.shape) == shape)
    assert torch.allclose(bucket.take([0])[0].target.float(), first.target, atol=0.02)
