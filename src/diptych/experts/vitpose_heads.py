"""ViTPose as its makers publish it, made into folders that transformers reads: one for each data set that it learned.

A checkpoint of ViTPose++ holds a backbone in which the last linear layer of each block is partly shared and partly an
expert's, six of them, and six heads. transformers has the experts and one head. With the data set known beforehand the
expert's rows simply follow the shared ones: what is written is a plain ViTPose of one head and no experts, which
computes the same.

The makers' files are pickles; they are read as plain tensors and nothing in them can run (``weights_only``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diptych.files import appearing
from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.types import InputError

DATA_SETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "coco": (0, WHOLEBODY.joints[:17]),
    "ap10k": (3, QUADRUPED.joints),
    "wholebody": (5, WHOLEBODY.joints),
}
"""Number of the expert and names of the joints. Of the six, those whose joints diptych knows."""

_LARGEST = 16 << 30
_HEADS = {
    "deconv_layers.0": "deconv1",
    "deconv_layers.1": "batchnorm1",
    "deconv_layers.3": "deconv2",
    "deconv_layers.4": "batchnorm2",
    "final_layer": "conv",
}
_LAYERS = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def write_folder(checkpoint: Path, data_set: str, folder: Path) -> None:
    """Writes a folder that ``experts/pose.py`` opens.

    Args:
        checkpoint: the makers' file, of ViTPose++ or of a ViTPose for one data set.
        data_set: one of ``DATA_SETS``.
        folder: must not be there yet.

    Raises:
        InputError: if the checkpoint cannot be read, is no ViTPose, or has no head for this data set.
    """
    if data_set not in DATA_SETS:
        raise InputError(f"there is no head for {data_set!r}; choose one of {', '.join(DATA_SETS)}.")
    try:
        from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation
    except ImportError:
        raise InputError(
            "this needs transformers, which is not installed; run pip install 'diptych[foundation]'."
        ) from None
    theirs = _read(checkpoint)
    try:
        ours, sizes = convert(theirs, data_set)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{checkpoint} is no ViTPose with a head for {data_set} ({reason}); fetch another one."
        ) from None
    names = dict(enumerate(DATA_SETS[data_set][1]))
    config = VitPoseConfig(
        backbone_config=VitPoseBackboneConfig(**sizes), use_simple_decoder=False, id2label=names,
        label2id={name: index for index, name in names.items()},
    )  # fmt: skip
    network = VitPoseForPoseEstimation(config)
    try:
        network.load_state_dict(ours)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{checkpoint} does not fit ViTPose ({reason}); fetch another one.") from None
    with appearing(folder) as draft:
        network.save_pretrained(draft)


def _read(checkpoint: Path) -> dict[str, Tensor]:
    try:
        if checkpoint.stat().st_size > _LARGEST:
            raise InputError(f"{checkpoint} is larger than any ViTPose; name another file.")
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # torch names no class for what may be wrong with a pickle
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{checkpoint} cannot be read as plain tensors ({reason}); fetch it again.") from None
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{checkpoint} holds no table of tensors; name a checkpoint of ViTPose.")
    return state


def convert(theirs: dict[str, Tensor], data_set: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by transformers' names, and the sizes of the backbone.

    Args:
        theirs: tensors by the makers' names.
        data_set: one of ``DATA_SETS``.

    Raises:
        KeyError: if a tensor is missing.
        ValueError: if the head is for fewer joints than the data set has.
    """
    expert, joints = DATA_SETS[data_set]
    depth = 1 + max(int(found[1]) for key in theirs if (found := re.match(r"backbone\.blocks\.(\d+)\.", key)))
    patches = theirs["backbone.patch_embed.proj.weight"]  # (width, 3, 16, 16)
    width = patches.shape[0]
    ours = {
        "backbone.embeddings.patch_embeddings.projection.weight": patches,
        "backbone.embeddings.patch_embeddings.projection.bias": theirs["backbone.patch_embed.proj.bias"],
        "backbone.embeddings.position_embeddings": theirs["backbone.pos_embed"],
    }
    for end in ("weight", "bias"):
        ours[f"backbone.layernorm.{end}"] = theirs[f"backbone.last_norm.{end}"]
        for block in range(depth):
            here, there = f"backbone.encoder.layer.{block}", f"backbone.blocks.{block}"
            parts = theirs[f"{there}.attn.qkv.{end}"].chunk(3)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                ours[f"{here}.attention.attention.{name}.{end}"] = part.clone()
            for old, new in _LAYERS.items():
                ours[f"{here}.{new}.{end}"] = theirs[f"{there}.{old}.{end}"]
            own = theirs.get(f"{there}.mlp.experts.{expert}.{end}")
            if own is not None and len(ours[f"{here}.mlp.fc2.{end}"]) < width:
                ours[f"{here}.mlp.fc2.{end}"] = torch.cat([ours[f"{here}.mlp.fc2.{end}"], own])
    for old, value in _head(theirs, expert).items():
        layer, _, end = old.rpartition(".")
        # Heads of several data sets are stored with room for the largest one.
        ours[f"head.{_HEADS[layer]}.{end}"] = value[: len(joints)].clone() if layer == "final_layer" else value
    if len(ours["head.conv.bias"]) != len(joints):
        raise ValueError(f"its head has {len(ours['head.conv.bias'])} joints and not {len(joints)}")
    hidden = theirs["backbone.blocks.0.mlp.fc1.weight"].shape[0]
    sizes = {
        "image_size": [256, 192],
        "patch_size": list(patches.shape[2:]),
        "hidden_size": width,
        "layer_norm_eps": 1e-6,
        "num_hidden_layers": depth,
        # The makers' three larger sizes have 12 or 16 heads of attention; the small one has 12 of 32 numbers.
        "num_attention_heads": 16 if width >= 1024 else 12,
        "mlp_ratio": hidden // width,
        "out_indices": [depth],
    }
    return ours, sizes


def _head(theirs: dict[str, Tensor], expert: int) -> dict[str, Tensor]:
    """Of several heads the one of the expert, of one head that one; by names within the head."""
    several = any(key.startswith("associate_keypoint_heads.") for key in theirs)
    start = f"associate_keypoint_heads.{expert - 1}." if several and expert else "keypoint_head."
    found = {key[len(start) :]: value for key, value in theirs.items() if key.startswith(start)}
    return {key: value for key, value in found.items() if key.rpartition(".")[0] in _HEADS}
