"""The cache: what comes out is what went in, whole shards or none, and never latents of another VAE."""

import pytest
import torch

from diptych.data import cache
from diptych.data.canvases import LatentDraw, collate
from diptych.method.incontext import canvas_mask, continuation, opening
from diptych.models.mini import FIGURES
from diptych.types import InputError


def made(number):
    """Two panel shapes, two kinds of window, all of it following from the number."""
    g = torch.Generator().manual_seed(number)
    shape = (4, 5, 2, 4) if number % 3 else (4, 5, 3, 4)
    window = continuation(17, 4) if number % 2 else opening(17, 5)
    target, condition = torch.randn(shape, generator=g), torch.randn(shape, generator=g)
    figures = torch.rand((2 * FIGURES, *shape[1:]), generator=g) < 0.3
    return LatentDraw(target, condition, window, f"draw {number}", figures)


@pytest.fixture
def folder(tmp_path):
    for index in range(2):
        cache.write_shard(tmp_path, index, made, "vae-a")
    return tmp_path


def test_what_comes_out_went_in(folder):
    buckets = cache.read_cache(folder, 2 * cache.SHARD, "vae-a")
    assert sum(len(bucket) for bucket in buckets.values()) == 2 * cache.SHARD
    for bucket in buckets.values():
        for draw in bucket.take(range(len(bucket))):
            source = made(int(draw.prompt.split()[1]))
            assert torch.equal(draw.target, source.target.half())
            assert torch.equal(draw.condition, source.condition.half())
            assert draw.window == source.window
            assert torch.equal(draw.figures, source.figures)


def test_eight_channels_go_into_a_byte_and_come_out():
    values = torch.rand(3, 24, 2, 5, generator=torch.Generator().manual_seed(0)) < 0.4
    packed = cache.pack_bits(values)
    assert packed.shape == (3, 3, 2, 5)
    assert packed.dtype == torch.uint8
    assert torch.equal(cache.unpack_bits(packed), values)
    one = torch.zeros(1, 16, 1, 1, dtype=torch.bool)
    one[0, 9] = True
    assert cache.pack_bits(one).flatten().tolist() == [0, 2]


def test_a_shard_is_there_or_not(folder):
    assert cache.cached_draws(folder) == 2 * cache.SHARD
    assert cache.missing_shards(folder, 3 * cache.SHARD) == [2]

    def breaks(number):
        if number == 2 * cache.SHARD + 5:
            raise InterruptedError
        return made(number)

    with pytest.raises(InterruptedError):
        cache.write_shard(folder, 2, breaks, "vae-a")
    assert cache.missing_shards(folder, 3 * cache.SHARD) == [2]
    assert len(list(folder.iterdir())) == 2


def test_another_vae_is_refused_and_so_is_damage(folder):
    with pytest.raises(InputError, match="another VAE"):
        cache.read_cache(folder, 1, "vae-b")
    path = cache.shard_path(folder, 1)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=path.name):
        cache.read_cache(folder, 2 * cache.SHARD, "vae-a")


def test_collated_masks_are_each_draws_own():
    target, condition = collate([made(1), made(2)])
    assert target.shape == (2, 4, 5, 2, 4)
    assert torch.equal(condition.mask[0:1], canvas_mask(continuation(17, 4), 2, 2))
    assert torch.equal(condition.mask[1:2], canvas_mask(opening(17, 5), 2, 2))
