"""Small random estimators of depth in the real format, made on the spot."""

import json
from pathlib import Path

import torch


def depth_anything(folder: Path, *, kind: str = "relative", side: int = 42) -> Path:
    """A Depth Anything with a few thousand numbers, and the settings of its processor beside it."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(0)
    backbone = Dinov2Config(
        image_size=side, patch_size=14, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2,
        out_features=["stage1", "stage2", "stage3", "stage4"], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8],
        reassemble_factors=[4, 2, 1, 0.5], fusion_hidden_size=8, head_hidden_size=8,
        depth_estimation_type=kind, max_depth=20 if kind == "metric" else 1,
    )  # fmt: skip
    network = DepthAnythingForDepthEstimation(config)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            tensor.normal_(0, 0.3)
            if name.startswith("head.conv3"):  # so that no answer is cut off at 0
                tensor.abs_()
    network.save_pretrained(folder)
    processor = {
        "image_processor_type": "DPTImageProcessor", "size": {"height": side, "width": side},
        "keep_aspect_ratio": True, "ensure_multiple_of": 14,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def dpt(folder: Path) -> Path:
    """A DPT with few numbers, which takes squares alone."""
    from transformers import DPTConfig, DPTForDepthEstimation

    torch.manual_seed(0)
    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5], is_hybrid=False,
    )  # fmt: skip
    DPTForDepthEstimation(config).save_pretrained(folder)
    processor = {"image_processor_type": "DPTImageProcessor", "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder
