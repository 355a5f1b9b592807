"""Adapters: only the video branch's feed-forward is trained, and what is saved comes back wherever people load it."""

import dataclasses
import json
import re

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from diptych.method.contract import HEADER_KEY
from diptych.models import adapters
from diptych.models.adapters import ADAPTER, LoraSettings, add_adapter, load_adapter, save_adapter, weigh_adapters
from diptych.models.foundation import Source
from diptych.models.hunyuan15 import FACTS as HUNYUAN15
from diptych.models.hunyuan15 import Hunyuan15
from diptych.models.motif import FACTS as MOTIF
from diptych.models.motif import Motif
from diptych.models.wan import FACTS as WAN
from diptych.models.wan import Wan
from diptych.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore")
FAMILIES = {"hunyuan15": Hunyuan15, "wan2.1": Wan, "wan2.2": Wan, "motif": Motif}
CELLS = (1, 5, 4, 8)


def opened(checkpoint, name):
    return FAMILIES[name](Source(str(checkpoint(name))))


def answers(backbone, sigmas=(0.95, 0.3)):
    """What a backbone predicts at two noise levels, one for each of Wan 2.2's experts."""
    g = torch.Generator().manual_seed(3)
    c = backbone.facts.latent_channels
    masks = 4 if backbone.family.name == "wan" else 1
    x = torch.randn(1, 2 * c + masks, *CELLS[1:], generator=g)
    text = backbone.encode_text(["a cup"], torch.rand(1, 3, 64, 64, generator=g) * 2 - 1)
    with torch.no_grad():
        return torch.cat([backbone.denoise(x, torch.tensor([sigma]), text) for sigma in sigmas])


def trained(backbone, seed=0, rank=4):
    """An adapter that says something: as if it had been trained."""
    g = torch.Generator().manual_seed(seed)
    for network in backbone._networks:
        add_adapter(network, backbone.facts.feed_forward, LoraSettings(rank=rank, alpha=rank / 2))
        for name, parameter in network.named_parameters():
            if f".{ADAPTER}." in name:
                parameter.data = torch.randn(parameter.shape, generator=g) * 0.1
        network.requires_grad_(False)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_fresh_adapter_changes_nothing_and_a_saved_one_comes_back(checkpoint, name, tmp_path):
    backbone = opened(checkpoint, name)
    plain = answers(backbone)
    for network in backbone._networks:
        add_adapter(network, backbone.facts.feed_forward, LoraSettings(rank=4))
    assert torch.allclose(answers(backbone), plain, atol=1e-6)

    first = opened(checkpoint, name)
    trained(first)
    wanted = answers(first)
    assert (wanted - plain).abs().max() > 1e-3
    save_adapter(tmp_path / "adapter", first._networks, first.contract)
    again = opened(checkpoint, name)
    again.adapt(tmp_path / "adapter")
    assert torch.allclose(answers(again), wanted, atol=1e-6)
    assert again.contract == first.contract
    # PEFT's own folder, read by PEFT and by us.
    from peft import PeftModel

    by_peft = opened(checkpoint, name)
    for network, part in zip(by_peft._networks, ("peft", "peft_2"), strict=False):
        PeftModel.from_pretrained(network, tmp_path / "adapter" / part)  # puts its layers into the network itself
    assert torch.allclose(answers(by_peft), wanted, atol=1e-6)
    if len(first._networks) == 1:
        ours = opened(checkpoint, name)
        assert load_adapter(ours._networks, tmp_path / "adapter" / "peft") == len(load_file(file_in(tmp_path)))
        assert torch.allclose(answers(ours), wanted, atol=1e-6)


def file_in(folder):
    return folder / "adapter" / adapters.FILES[0]


def test_diffusers_loads_what_we_save(checkpoint, tmp_path):
    import diffusers
    from diffusers.modular_pipelines.hunyuan_video1_5 import modular_blocks_hunyuan_video1_5 as blocks

    for name in FAMILIES:
        first = opened(checkpoint, name)
        trained(first)
        wanted = answers(first)
        save_adapter(tmp_path / name, first._networks, first.contract)
        other = opened(checkpoint, name)
        if name.startswith("wan"):
            pipeline = diffusers.WanImageToVideoPipeline.from_pretrained(checkpoint(name))
            pipeline.load_lora_weights(tmp_path / name, weight_name=adapters.FILES[0])
            networks = [pipeline.transformer, pipeline.transformer_2][: len(other._networks)]
            if len(networks) == 2:
                second = {"weight_name": adapters.FILES[1], "load_into_transformer_2": True}
                pipeline.load_lora_weights(tmp_path / name, **second)
        elif name == "hunyuan15":
            pipeline = diffusers.HunyuanVideo15ModularPipeline(
                blocks=blocks.HunyuanVideo15AutoBlocks(), pretrained_model_name_or_path=str(checkpoint(name))
            )
            pipeline.load_components()
            pipeline.load_lora_weights(tmp_path / name)
            networks = [pipeline.transformer]
        else:
            network = diffusers.MotifVideoTransformer3DModel.from_pretrained(checkpoint(name), subfolder="transformer")
            network.load_lora_adapter(tmp_path / name, use_safetensors=True)
            networks = [network]
        other._networks = tuple(network.eval() for network in networks)
        assert (answers(other) - wanted).abs().max() < 1e-6 * wanted.abs().max() + 1e-6, name


def test_a_second_lora_is_stacked_and_counts_as_much_as_asked(checkpoint, tmp_path):
    for seed in (0, 1):
        one = opened(checkpoint, "hunyuan15")
        trained(one, seed)
        save_adapter(tmp_path / str(seed), one._networks, one.contract)
    # A LoRA of somebody else's has no contract.
    tensors = load_file(tmp_path / "1" / adapters.FILES[0])
    save_file(tensors, tmp_path / "style.safetensors")
    only, both, weak = (opened(checkpoint, "hunyuan15") for _ in range(3))
    only.adapt(tmp_path / "0")
    for backbone, scale in ((both, 1.0), (weak, 0.0)):
        backbone.adapt(tmp_path / "0")
        backbone.stack(tmp_path / "style.safetensors", scale)
    assert torch.allclose(answers(weak), answers(only), atol=1e-6)
    assert (answers(both) - answers(only)).abs().max() > 1e-3
    # By hand: both products on the weight itself. Without settings of its own the second counts once, not by half.
    merged = opened(checkpoint, "hunyuan15")
    network, first = merged.transformer, load_file(tmp_path / "0" / adapters.FILES[0])
    with torch.no_grad():
        for loras, scale in ((first, 0.5), (tensors, 1.0)):
            for key in (key for key in loras if ".lora_A." in key):
                layer = network.get_submodule(key.removeprefix("transformer.").removesuffix(".lora_A.weight"))
                layer.weight += scale * loras[key.replace("lora_A", "lora_B")] @ loras[key]
    assert torch.allclose(answers(merged), answers(both), atol=1e-4)
    assert len(both.identity) == len(only.identity) + 1
    weigh_adapters(both._networks, {ADAPTER: 0.0, "lora_1": 0.0})
    assert torch.allclose(answers(both), answers(opened(checkpoint, "hunyuan15")), atol=1e-6)


def on_meta(name):
    import diffusers

    with torch.device("meta"):
        if name == "hunyuan15":
            return diffusers.HunyuanVideo15Transformer3DModel(), HUNYUAN15
        if name == "wan":
            return diffusers.WanTransformer3DModel(in_channels=36, image_dim=1280, added_kv_proj_dim=5120), WAN
        return (
            diffusers.MotifVideoTransformer3DModel(
                in_channels=33, num_layers=12, num_single_layers=16, num_decoder_layers=8
            ),
            MOTIF,
        )


@pytest.mark.parametrize(
    ("name", "layers", "width", "inner"),
    [("hunyuan15", 54, 2048, 8192), ("wan", 40, 5120, 13824), ("motif", 12, 3072, 12288)],
)
def test_at_full_size_only_the_video_branchs_feed_forward_is_trained(name, layers, width, inner):
    """The paper's rank 256, on the real sizes without memory for them."""
    network, facts = on_meta(name)
    with torch.device("meta"):
        names = add_adapter(network, facts.feed_forward, LoraSettings(rank=256))
    assert len(names) == layers * 2 * 2
    assert not [n for n in names if "context" in n or "refiner" in n or "single" in n or "attn" in n]
    assert {re.sub(r"\d+", "N", n) for n in names} == {
        f"{'blocks' if name == 'wan' else 'transformer_blocks'}.N.{'ffn' if name == 'wan' else 'ff'}.net.{layer}."
        f"lora_{matrix}.{ADAPTER}.weight".replace("net.2", "net.N").replace("net.0", "net.N")
        for layer in ("0.proj", "2")
        for matrix in "AB"
    }
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == layers * 2 * 256 * (width + inner)


def test_what_would_train_something_else_is_refused(checkpoint):
    backbone = opened(checkpoint, "hunyuan15")
    with pytest.raises(ValueError, match="Target modules"):
        add_adapter(backbone.transformer, r"no\.such\.layer", LoraSettings(rank=2))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("missing", "does not exist"),
        ("empty folder", "holds no adapter"),
        ("pickle", "pickles are not read"),
        ("torn", "not a readable safetensors file"),
        ("no contract", "has no contract"),
        ("another backbone", "backbone is 'motif' where 'hunyuan15' is needed"),
        ("unknown field", "has a contract that cannot be used"),
        ("other layers", "does not fit this backbone"),
        ("one matrix", "damaged"),
    ],
)
def test_an_adapter_that_cannot_serve_is_refused_in_a_sentence(checkpoint, tmp_path, spoil, says):
    first = opened(checkpoint, "hunyuan15")
    trained(first)
    path = tmp_path / "adapter"
    save_adapter(path, first._networks, first.contract)
    file = path / adapters.FILES[0]
    with safe_open(file, "pt") as read:
        header = dict(read.metadata())
    tensors = load_file(file)
    agreed = json.loads(header[HEADER_KEY])
    if spoil == "missing":
        path = tmp_path / "nothing"
    elif spoil == "empty folder":
        file.unlink()
    elif spoil == "pickle":
        file.rename(path / "pytorch_lora_weights.bin")
    elif spoil == "torn":
        file.write_bytes(file.read_bytes()[:300])
    elif spoil == "no contract":
        save_file(tensors, file)
    elif spoil == "another backbone":
        save_file(tensors, file, metadata={**header, HEADER_KEY: json.dumps({**agreed, "backbone": "motif"})})
    elif spoil == "unknown field":
        save_file(tensors, file, metadata={**header, HEADER_KEY: json.dumps({**agreed, "surprise": 1})})
    elif spoil == "other layers":
        save_file({k.replace("transformer_blocks.1", "blocks.7"): v for k, v in tensors.items()}, file, metadata=header)
    else:
        tensors.pop(next(iter(tensors)))
        save_file(tensors, file, metadata=header)
    with pytest.raises(InputError, match=says) as caught:
        opened(checkpoint, "hunyuan15").adapt(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_contract_of_two_experts_names_them_and_their_boundary(checkpoint, tmp_path):
    first = opened(checkpoint, "wan2.2")
    assert (first.contract.experts, first.contract.boundary) == (("transformer", "transformer_2"), 0.9)
    assert opened(checkpoint, "wan2.1").contract.experts is None
    trained(first)
    save_adapter(tmp_path / "both", first._networks, first.contract)
    with pytest.raises(
        InputError, match=r"backbone is 'wan2\.2' where 'wan2\.1'.*; experts is .*; boundary is 0\.9 where"
    ):
        opened(checkpoint, "wan2.1").adapt(tmp_path / "both")
    moved = dataclasses.replace(first.contract, boundary=0.875)
    save_adapter(tmp_path / "moved", first._networks, moved)
    with pytest.raises(InputError, match=r"boundary is 0\.875 where 0\.9 is needed"):
        opened(checkpoint, "wan2.2").adapt(tmp_path / "moved")
    strange = dataclasses.replace(first.contract, experts=("transformer", "transformer_3"))
    save_adapter(tmp_path / "strange", first._networks, strange)
    with pytest.raises(InputError, match="'transformer_3'"):
        opened(checkpoint, "wan2.2").adapt(tmp_path / "strange")


def test_an_adapter_from_before_experts_were_named_still_serves(checkpoint, tmp_path):
    first = opened(checkpoint, "wan2.2")
    trained(first)
    old = dataclasses.replace(first.contract, experts=None, boundary=None)
    assert "experts" not in old.to_json()
    save_adapter(tmp_path / "old", first._networks, old)
    again = opened(checkpoint, "wan2.2")
    again.adapt(tmp_path / "old")
    assert torch.allclose(answers(again), answers(first), atol=1e-6)


@pytest.mark.parametrize("which", [0, 1])
def test_an_adapter_of_one_expert_leaves_the_other_as_it_is(checkpoint, tmp_path, which):
    plain, first = opened(checkpoint, "wan2.2"), opened(checkpoint, "wan2.2")
    trained(first)
    other = first._networks[1 - which]
    other.delete_adapters(ADAPTER)
    name = ("transformer", "transformer_2")[which]
    save_adapter(tmp_path / "one", first._networks, dataclasses.replace(first.contract, experts=(name,)))
    again = opened(checkpoint, "wan2.2")
    again.adapt(tmp_path / "one")
    high, low = (answers(again, (sigma,)) for sigma in (0.95, 0.3))
    same = [torch.equal(high, answers(plain, (0.95,))), torch.equal(low, answers(plain, (0.3,)))]
    assert same == [which == 1, which == 0]
    wanted = answers(first, ((0.95, 0.3)[which],))
    assert torch.allclose((high, low)[which], wanted, atol=1e-6)


def test_an_adapter_is_never_written_over(checkpoint, tmp_path):
    first = opened(checkpoint, "motif")
    trained(first)
    save_adapter(tmp_path / "a", first._networks, first.contract)
    with pytest.raises(InputError, match="is there already"):
        save_adapter(tmp_path / "a", first._networks, first.contract)
