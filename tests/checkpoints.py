"""Small random checkpoints in the real format: whole diffusers folders, every component and tokenizer included.

Shapes, plumbing and round trips can be tried on them; pictures cannot. Weights are drawn wide enough that every input
is heard at the output, or a test that swaps two channels would pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def hunyuan15(folder: Path, **transformer: Any) -> Path:
    """HunyuanVideo-1.5 image-to-video: ten components."""
    from diffusers import (
        AutoencoderKLHunyuanVideo15,
        FlowMatchEulerDiscreteScheduler,
        HunyuanVideo15ImageToVideoPipeline,
        HunyuanVideo15Transformer3DModel,
    )
    from diffusers.guiders import ClassifierFreeGuidance
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import (
        ByT5Tokenizer,
        Qwen2_5_VLTextModel,
        Qwen2Tokenizer,
        SiglipImageProcessor,
        SiglipVisionModel,
        T5Config,
        T5EncoderModel,
    )
    from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLTextConfig

    torch.manual_seed(0)
    vocabulary = {character: i for i, character in enumerate(sorted(ByteLevel.alphabet()))}
    for special in ("<|endoftext|>", "<|im_start|>", "<|im_end|>"):
        vocabulary[special] = len(vocabulary)
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[])
    tokenizer.chat_template = _TEMPLATE
    text = Qwen2_5_VLTextConfig(
        vocab_size=len(vocabulary) + 8,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        pad_token_id=0,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]},
    )
    sizes = {
        "num_attention_heads": 4,
        "attention_head_dim": 16,
        "num_layers": 2,
        "num_refiner_layers": 1,
        "text_embed_dim": 32,
        "text_embed_2_dim": 24,
        "image_embed_dim": 20,
        "rope_axes_dim": (4, 6, 6),
        "target_size": 64,
        **transformer,
    }
    HunyuanVideo15ImageToVideoPipeline(
        text_encoder=Qwen2_5_VLTextModel(text),
        tokenizer=tokenizer,
        transformer=_heard(HunyuanVideo15Transformer3DModel(in_channels=65, out_channels=32, **sizes)),
        vae=AutoencoderKLHunyuanVideo15(
            latent_channels=32,
            block_out_channels=(16, 16, 32, 64, 64),
            layers_per_block=1,
            spatial_compression_ratio=16,
            temporal_compression_ratio=4,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0),
        text_encoder_2=T5EncoderModel(T5Config(vocab_size=384, d_model=24, d_ff=48, d_kv=8, num_layers=1, num_heads=3)),
        tokenizer_2=ByT5Tokenizer(),
        guider=ClassifierFreeGuidance(guidance_scale=6.0),
        image_encoder=SiglipVisionModel(_siglip()),
        feature_extractor=SiglipImageProcessor(size={"height": 32, "width": 32}),
    ).save_pretrained(folder)
    return folder


def wan(folder: Path, *, release: str = "2.1", scheduler: str = "unipc", **transformer: Any) -> Path:
    """Wan image-to-video: 2.1 with its image encoder, or 2.2 with two experts and a boundary."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        UniPCMultistepScheduler,
        WanImageToVideoPipeline,
        WanTransformer3DModel,
    )
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

    torch.manual_seed(0)
    is_first = release == "2.1"
    sizes = {
        "num_attention_heads": 4,
        "attention_head_dim": 16,
        "num_layers": 2,
        "ffn_dim": 128,
        "text_dim": 32,
        "freq_dim": 32,
        "image_dim": 20 if is_first else None,
        "added_kv_proj_dim": 64 if is_first else None,
        "cross_attn_norm": True,
        "rope_max_seq_len": 64,
        **transformer,
    }

    def expert() -> nn.Module:
        return _heard(WanTransformer3DModel(in_channels=36, out_channels=16, **sizes))

    schedulers = {
        "unipc": lambda: UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
        ),
        "euler": lambda: FlowMatchEulerDiscreteScheduler(shift=3.0),
    }
    image_size = 32
    clip = CLIPVisionConfig(
        hidden_size=20,
        intermediate_size=40,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=image_size,
        patch_size=8,
        projection_dim=16,
    )
    text = UMT5Config(vocab_size=300, d_model=32, d_ff=48, d_kv=8, num_layers=2, num_heads=4)
    WanImageToVideoPipeline(
        tokenizer=_byte_tokenizer(),
        text_encoder=UMT5EncoderModel(text),
        vae=_wan_vae(),
        scheduler=schedulers[scheduler](),
        image_processor=CLIPImageProcessor(size={"shortest_edge": image_size}, crop_size=image_size)
        if is_first
        else None,
        image_encoder=CLIPVisionModel(clip) if is_first else None,
        transformer=expert(),
        transformer_2=None if is_first else expert(),
        boundary_ratio=None if is_first else 0.9,
    ).save_pretrained(folder)
    return folder


def motif(folder: Path, **transformer: Any) -> Path:
    """Motif-Video image-to-video: its encoder reads text and, in its vision tower, the reference."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        MotifVideoImage2VideoPipeline,
        MotifVideoTransformer3DModel,
    )
    from diffusers.guiders import ClassifierFreeGuidance
    from transformers import SiglipImageProcessor
    from transformers.models.t5gemma2.configuration_t5gemma2 import T5Gemma2EncoderConfig, T5Gemma2TextConfig
    from transformers.models.t5gemma2.modeling_t5gemma2 import T5Gemma2Encoder

    torch.manual_seed(0)
    text = T5Gemma2TextConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        query_pre_attn_scalar=8,
        max_position_embeddings=1024,
        sliding_window=512,
    )
    text.dropout_rate = 0.0  # the whole model's config hands it down
    encoder = T5Gemma2EncoderConfig(
        text_config=text,
        vision_config=_siglip().to_dict(),
        mm_tokens_per_image=16,
        boi_token_index=290,
        eoi_token_index=291,
        image_token_index=292,
    )
    sizes = {
        "num_attention_heads": 4,
        "attention_head_dim": 16,
        "num_layers": 2,
        "num_single_layers": 2,
        "num_decoder_layers": 1,
        "text_embed_dim": 32,
        "image_embed_dim": 20,
        "rope_axes_dim": (4, 6, 6),
        **transformer,
    }
    MotifVideoImage2VideoPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_wan_vae(),
        text_encoder=T5Gemma2Encoder(encoder),
        tokenizer=_byte_tokenizer(),
        transformer=_heard(MotifVideoTransformer3DModel(in_channels=33, out_channels=16, **sizes)),
        guider=ClassifierFreeGuidance(guidance_scale=4.0),
        feature_extractor=SiglipImageProcessor(size={"height": 32, "width": 32}),
    ).save_pretrained(folder)
    return folder


def _siglip() -> Any:
    from transformers import SiglipVisionConfig

    return SiglipVisionConfig(
        hidden_size=20, intermediate_size=40, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )


def _wan_vae() -> nn.Module:
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(base_dim=8, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1)


def _byte_tokenizer() -> Any:
    """Every byte a token, with padding and an end; the real ones are sentence pieces, saved in the same file."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2}
    vocabulary |= {character: 3 + i for i, character in enumerate(sorted(ByteLevel.alphabet()))}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def _heard(module: nn.Module) -> nn.Module:
    """Weights as wide as their inputs allow, zeros included: an untrained transformer passes most inputs over."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5)
            else:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()
