"""The mask-free path gives what the stock one gives, in a fraction of the memory."""

import pytest
import torch

from diptych.models.attention import MaskFreeAttention, without_padding
from diptych.models.foundation import Source
from diptych.models.hunyuan15 import Hunyuan15

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def backbone(checkpoint):
    return Hunyuan15(Source(str(checkpoint("hunyuan15"))))


def features(lengths, glyphs=(0, 0), picture=True, seed=0):
    g = torch.Generator().manual_seed(seed)
    b = len(lengths)

    def mask(counts, length):
        return torch.stack([(torch.arange(length) < count).float() for count in counts])

    return {
        "encoder_hidden_states": torch.randn(b, 12, 32, generator=g),
        "encoder_attention_mask": mask(lengths, 12),
        "encoder_hidden_states_2": torch.randn(b, 6, 24, generator=g),
        "encoder_attention_mask_2": mask(glyphs[:b], 6),
        "image_embeds": torch.randn(b, 16, 20, generator=g) if picture else torch.zeros(b, 16, 20),
    }


def both(backbone, told):
    """What the backbone predicts, and what the network itself does, left as diffusers made it."""
    g = torch.Generator().manual_seed(1)
    b = len(told["image_embeds"])
    x, sigma = torch.randn(b, 65, 5, 4, 8, generator=g), torch.full((b,), 0.7)
    with torch.no_grad():
        ours = backbone.denoise(x, sigma, told)
        free = isinstance(backbone.transformer.transformer_blocks[1].attn.processor, MaskFreeAttention)
        backbone._attend(mask_free=False)
        stock = backbone.transformer(hidden_states=x, timestep=sigma * 1000, return_dict=False, **told)[0]
    return ours, stock, free


@pytest.mark.parametrize(
    ("lengths", "glyphs", "picture"),
    [((7,), (3,), True), ((12,), (0,), True), ((5,), (2,), False), ((4, 4), (3, 3), True)],
)
def test_it_equals_the_stock_path(backbone, lengths, glyphs, picture):
    ours, stock, free = both(backbone, features(lengths, glyphs, picture))
    assert free
    assert torch.allclose(ours, stock, atol=1e-5)


def test_samples_that_are_padded_apart_keep_the_stock_path(backbone):
    told = features((4, 9), (0, 2))
    assert without_padding(told) is None
    ours, stock, free = both(backbone, told)
    assert not free
    assert torch.equal(ours, stock)


def test_dropped_tokens_are_those_that_the_mask_drops():
    told = features((7,), (2,))
    trimmed = without_padding(told)
    assert torch.equal(trimmed["encoder_hidden_states"], told["encoder_hidden_states"][:, :7])
    assert trimmed["encoder_hidden_states_2"].shape[1] == 2
    assert trimmed["encoder_attention_mask"].all()
    assert trimmed["image_embeds"].shape[1] == 16
