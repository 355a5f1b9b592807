"""A rehearsal counts what is alive and what is computed, and stays true to the code that it runs."""

import pytest
import torch
from torch.nn import functional

from diptych.models.attention import MaskFreeAttention
from diptych.models.rehearsal import META, rehearse

pytestmark = pytest.mark.filterwarnings("ignore")


def empty(*shape, dtype=torch.float32):
    return torch.empty(*shape, device=META, dtype=dtype)


def test_what_is_alive_at_once_is_counted_and_what_was_let_go_is_not():
    x = empty(256, 1024)  # a mebibyte; an input is not an intermediate result

    def run():
        y = x * 2  # 1
        z = y + 1  # 2
        del y  # 1
        for _ in range(5):
            z = z * 3  # 2, then 1 again
        halves = z.chunk(2)  # views are no memory
        return halves[0].to(torch.bfloat16)  # a quarter more

    found = rehearse(run)
    assert found.peak_bytes == 2 << 20
    assert found.flops == 0


def test_products_convolutions_and_attention_are_counted():
    a, b = empty(64, 32), empty(32, 16)
    assert rehearse(lambda: a @ b).flops == 2 * 64 * 32 * 16
    clip, kernel = empty(1, 4, 3, 8, 8), empty(6, 4, 3, 3, 3)
    assert rehearse(lambda: functional.conv3d(clip, kernel, padding=1)).flops == 2 * 6 * 3 * 8 * 8 * 4 * 27
    q, k = empty(1, 2, 100, 8), empty(1, 2, 300, 8)
    found = rehearse(lambda: functional.scaled_dot_product_attention(q, k, k))
    assert found.flops == 2 * 2 * 100 * 300 * (8 + 8)
    # A fused kernel keeps no scores: what is made has the shape of the queries.
    assert found.peak_bytes == q.numel() * 4


@pytest.mark.parametrize(("inside", "outside"), [(4, 8), (8, 4)])
def test_a_convolution_on_a_cpu_copies_one_of_what_it_reads_and_makes(inside, outside):
    clip, kernel = empty(1, inside, 4, 64, 64), empty(outside, inside, 1, 1, 1)
    found = rehearse(lambda: functional.conv3d(clip, kernel))
    assert found.peak_bytes == outside * 4 * 64 * 64 * 4
    assert found.reordered_bytes - found.peak_bytes == max(inside, outside) * 4 * 64 * 64 * 4


def test_real_masks_choose_tokens():
    tokens, mask = empty(10, 4), torch.tensor([True] * 7 + [False] * 3)
    shapes = []
    rehearse(lambda: shapes.extend([tokens[mask].shape, (tokens * mask.float()[:, None])[~mask].shape]))
    assert shapes == [(7, 4), (3, 4)]


def test_what_moves_to_the_processor_stays_without_content():
    seen = []
    rehearse(lambda: seen.append((empty(3) + 1).to("cpu").device.type))
    assert seen == ["meta"]


@pytest.mark.parametrize("name", ["hunyuan15", "wan"])
def test_a_networks_peak_is_what_its_real_run_holds(name):
    """Compared with PyTorch's own count of what a real run allocates and frees on the CPU."""
    import diffusers

    if name == "wan":
        kind, sizes = diffusers.WanTransformer3DModel, {"in_channels": 36, "out_channels": 16, "ffn_dim": 512}
        sizes |= {"num_attention_heads": 4, "attention_head_dim": 32, "num_layers": 2, "text_dim": 32, "freq_dim": 32}

        def call(network, device):
            return network(
                hidden_states=torch.ones(1, 36, 3, 32, 32, device=device),
                timestep=torch.ones(1, device=device),
                encoder_hidden_states=torch.ones(1, 16, 32, device=device),
                return_dict=False,
            )
    else:
        kind, sizes = diffusers.HunyuanVideo15Transformer3DModel, {"num_refiner_layers": 1, "num_layers": 2}
        sizes |= {"num_attention_heads": 4, "attention_head_dim": 32, "rope_axes_dim": (8, 12, 12)}
        sizes |= {"text_embed_dim": 32, "text_embed_2_dim": 32, "image_embed_dim": 32}

        def call(network, device):
            for block in network.transformer_blocks:
                block.attn.set_processor(MaskFreeAttention())
            words, heard = torch.ones(1, 8, 32), torch.ones(1, 8)
            return network(
                torch.ones(1, 65, 3, 16, 32, device=device),
                torch.ones(1, device=device),
                words,
                heard,
                None,
                words,
                heard,
                words,
                return_dict=False,
            )

    with META:
        sketch = kind(**sizes).eval()
    predicted = rehearse(lambda: call(sketch, META)).peak_bytes
    network = kind(**sizes).eval()
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        call(network, torch.device("cpu"))
    held = most = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    # Kernels keep a little of their own.
    assert 0.85 * most < predicted < 1.1 * most
