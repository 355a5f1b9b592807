"""Adapters: LoRA in the feed-forward layers of the video branch (paper section 3.2), on disk and back on a network.

An adapter is a folder that the libraries people use all read:

    pytorch_lora_weights.safetensors     diffusers' names; the header holds the contract
    pytorch_lora_weights_2.safetensors   of a second expert, under the same names, as diffusers wants it
    peft/ (and peft_2/)                  the same as PEFT writes it, one folder for each network

Target names are matched in full. A list of endings would also catch the text branch, which stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diptych.files import appearing, save_tensors, writing_errors
from diptych.method.contract import HEADER_KEY, Contract
from diptych.models.headers import parsed, read_tensors
from diptych.types import InputError

ADAPTER = "diptych"
"""Name of our adapter on a network."""

FILES = ("pytorch_lora_weights.safetensors", "pytorch_lora_weights_2.safetensors")
"""Of a backbone's networks, in its order: the only one, or the expert for high noise and that for low."""

_PEFT_FOLDERS = ("peft", "peft_2")
_NOTES = "diptych.notes"
_PREFIXES = ("base_model.model.", "transformer.", "diffusion_model.")
"""What PEFT, diffusers and others put before a layer's name."""
_DIFFUSERS_METADATA = "lora_adapter_metadata"
_MATRIX = re.compile(r"(.+)\.lora_[AB]\.weight")


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Size of an adapter.

    Attributes:
        rank: of every pair of matrices; the paper has 256.
        alpha: their product counts alpha / rank times; None is the rank, so once.
    """

    rank: int = 256
    alpha: float | None = None


def add_adapter(network: Any, feed_forward: str, settings: LoraSettings) -> list[str]:
    """Puts fresh adapter layers on a network, which alone will be trained; at first they change nothing.

    Args:
        network: of diffusers, frozen or not.
        feed_forward: regular expression of the layers, from the backbone's facts.
        settings: their size.

    Returns:
        Names of what is trained.

    Raises:
        ValueError: if the network has no such layer, or something else would be trained.
    """
    from peft import LoraConfig

    network.requires_grad_(False)
    alpha = settings.rank if settings.alpha is None else settings.alpha
    config = LoraConfig(r=settings.rank, lora_alpha=alpha, target_modules=feed_forward, init_lora_weights="gaussian")
    network.add_adapter(config, adapter_name=ADAPTER)
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    wanted = re.compile(rf"(?:{feed_forward})\.lora_[AB]\.{ADAPTER}\.weight")
    others = [name for name in names if not wanted.fullmatch(name)]
    if others or not names:
        raise ValueError(f"the adapter would train {others[:3] or 'nothing'}")
    return names


def start_from(networks: Sequence[Any], path: Path, settings: LoraSettings) -> None:
    """Gives fresh adapter layers the values of an adapter that was trained before (paper section 3.5: warm start).

    Args:
        networks: of the backbone, on which :func:`add_adapter` has put layers.
        path: file or folder of the other adapter, one file for every network.
        settings: size of the fresh layers.

    Raises:
        InputError: if it cannot be read, or is not of the same layers and sizes.
    """
    files = adapter_files(path)
    if len(files) != len(networks):
        raise InputError(f"{path} is for {len(files)} networks and this backbone has {len(networks)}; choose its own.")
    for network, file in zip(networks, files, strict=True):
        tensors, header = _read(file)
        alpha = float(settings.rank if settings.alpha is None else settings.alpha)
        said = _settings(file, header)["lora_alpha"]
        if said is not None and said != alpha:
            raise InputError(f"{file} has alpha {said:g} and not {alpha:g}; say --set adapter.alpha={said:g}.")
        theirs = {_layer_name(key): value for key, value in tensors.items()}
        ours = {
            name.replace(f".{ADAPTER}.", "."): parameter
            for name, parameter in network.named_parameters()
            if f".{ADAPTER}." in name
        }
        other = next((name for name in sorted({*ours, *theirs}) if _shape(ours, name) != _shape(theirs, name)), None)
        if other is not None:
            raise InputError(
                f"{file} has {other} of {_shape(theirs, other) or 'no'} numbers, where {_shape(ours, other) or 'none'} "
                "are needed; set out from an adapter of the same rank and targets."
            )
        with torch.no_grad():
            for name, parameter in ours.items():
                parameter.copy_(theirs[name])


def _shape(tensors: Mapping[str, Tensor], name: str) -> str:
    return "x".join(map(str, tensors[name].shape)) if name in tensors else ""


def save_adapter(
    folder: Path,
    networks: Sequence[Any],
    contract: Contract,
    notes: Mapping[str, Any] | None = None,
    *,
    writes: bool = True,
) -> None:
    """Writes the adapter that lies on networks, whole or not at all.

    Args:
        folder: must not exist.
        networks: those of the backbone, in its order; networks without the adapter are left out.
        contract: what the adapter was trained for.
        notes: how it came to be, and which files it was trained on (``base``), as plain values.
        writes: whether this process is the one that writes; where weights are split between processes, all come here.

    Raises:
        InputError: the folder exists or cannot be written.
    """
    from peft.utils import get_peft_model_state_dict

    if writes and folder.exists():
        raise InputError(f"{folder} is there already; name another folder for the adapter.")
    adapted = [getattr(network, "peft_config", {}).get(ADAPTER) for network in networks]
    if not any(adapted):
        raise ValueError("there is no adapter on these networks")
    states = [
        {name: _whole(value) for name, value in get_peft_model_state_dict(network, adapter_name=ADAPTER).items()}
        for network, config in zip(networks, adapted, strict=True)
        if config is not None
    ]
    if not writes:
        return
    with writing_errors(folder), appearing(folder) as draft:
        for config, file, beside in zip(adapted, FILES, _PEFT_FOLDERS, strict=False):
            if config is None:
                continue
            state = states.pop(0)
            plain = {k: sorted(v) if isinstance(v, set) else v for k, v in config.to_dict().items()}
            header = {
                "format": "pt",
                HEADER_KEY: contract.to_json(),
                _NOTES: json.dumps(notes or {}, default=str),
                _DIFFUSERS_METADATA: json.dumps(
                    {f"transformer.{key}": value for key, value in plain.items()}, default=str, sort_keys=True
                ),
            }
            save_tensors({f"transformer.{name}": value for name, value in state.items()}, draft / file, header)
            (draft / beside).mkdir()
            peft = {f"base_model.model.{name}": value for name, value in state.items()}
            save_tensors(peft, draft / beside / "adapter_model.safetensors")
            config.save_pretrained(draft / beside)


def _whole(value: Any) -> Tensor:
    """A tensor on the CPU, put together from the processes among which it is split."""
    gathered: Tensor = value.full_tensor() if hasattr(value, "full_tensor") else value
    return gathered.detach().cpu().contiguous()


def read_contract(path: Path) -> Contract:
    """The contract of an adapter.

    Raises:
        InputError: if there is none: a LoRA of somebody else's is stacked, it does not animate by itself.
    """
    text = _read(adapter_files(path)[0])[1].get(HEADER_KEY)
    if text is None:
        raise InputError(f"{path} has no contract, so it is not an adapter of Diptych's; stack it with --lora instead.")
    return parsed(Contract, text, path, "contract")


def read_notes(path: Path) -> dict[str, Any]:
    """How an adapter came to be, as :func:`save_adapter` was told; empty where it says nothing.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        notes = json.loads(_read(adapter_files(path)[0])[1].get(_NOTES, "{}"))
    except json.JSONDecodeError:
        notes = None
    if not isinstance(notes, dict):
        raise InputError(f"{path} has notes that cannot be read; fetch it again.")
    return notes


def load_adapter(networks: Sequence[Any], path: Path, name: str = ADAPTER) -> int:
    """Puts a LoRA from a file or folder on networks, beside those that are there.

    Args:
        networks: of the backbone, in its order.
        path: a folder as :func:`save_adapter` writes it, a file with diffusers' names, or a folder of PEFT's. A single
            file is put on every network: that is how people use one made for Wan 2.1 on the experts of 2.2.
        name: of the adapter on the networks.

    Returns:
        How many tensors arrived.

    Raises:
        InputError: if the file cannot be read, or not all of it found its place.
    """
    files = adapter_files(path)
    if len(files) > len(networks):
        raise InputError(
            f"{path} is for {len(files)} experts and this backbone has one; choose the adapter's backbone."
        )
    arrived = 0
    for network, file in zip(networks, files * len(networks) if len(files) == 1 else files, strict=False):
        tensors, header = _read(file)
        tensors = {_layer_name(key): value for key, value in tensors.items()}
        known = {module for module, _ in network.named_modules()}
        strangers = [key for key in tensors if not (m := _MATRIX.fullmatch(key)) or m[1] not in known]
        if strangers:
            raise InputError(
                f"{path} does not fit this backbone: it has no place for {strangers[0]} ({len(strangers)} of "
                f"{len(tensors)} tensors); choose the adapter's own backbone."
            )
        _inject(network, tensors, _settings(file, header), name, path)
        there = sum(f".{name}." in key for key, _ in network.named_parameters())
        if there != len(tensors):
            raise InputError(f"{file} has {len(tensors)} tensors for {there} places; it is damaged, fetch it again.")
        arrived += there
    return arrived


def _inject(network: Any, tensors: dict[str, Tensor], config: dict[str, Any], name: str, path: Path) -> None:
    from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict

    layers = sorted({key.rsplit(".lora_", 1)[0] for key in tensors})
    # Either matrix tells the rank, so a file that lacks one is found damaged below and not here.
    ranks = {key.rsplit(".lora_", 1)[0]: v.shape[0 if ".lora_A." in key else 1] for key, v in tensors.items()}
    alpha = config.get("lora_alpha")
    rank = max(ranks.values())
    settings = LoraConfig(
        r=rank,
        lora_alpha=rank if alpha is None else alpha,
        target_modules=layers,
        rank_pattern={f"^{layer}$": own for layer, own in ranks.items() if own != rank},
        # Without an alpha of its own a LoRA counts once, whatever the rank of its layers.
        alpha_pattern={f"^{layer}$": own for layer, own in ranks.items() if own != rank and alpha is None},
    )
    try:
        inject_adapter_in_model(settings, network, adapter_name=name)
        outcome = set_peft_model_state_dict(network, tensors, adapter_name=name)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} does not fit this backbone ({reason}); choose the adapter's own backbone.") from None
    if outcome.unexpected_keys:
        raise InputError(f"{path} has tensors that find no place, such as {outcome.unexpected_keys[0]}.")
    network._hf_peft_config_loaded = True  # as diffusers' own loader leaves it


def weigh_adapters(networks: Sequence[Any], scales: Mapping[str, float]) -> None:
    """Makes all adapters count at once, each as much as is asked.

    Args:
        networks: of the backbone.
        scales: by name of the adapter; a network without one of them goes without it.
    """
    for network in networks:
        there = [name for name in scales if name in getattr(network, "peft_config", {})]
        if there:
            network.set_adapters(there, [scales[name] for name in there])


def adapter_files(path: Path) -> list[Path]:
    """The safetensors files of an adapter that is given as a file or a folder: one, or one for each expert.

    Raises:
        InputError: if there is none.
    """
    if path.is_dir():
        found = [path / name for name in FILES if (path / name).is_file()]
        if not found:
            found = [file for file in (path / "adapter_model.safetensors",) if file.is_file()]
        if found:
            return found
        pickles = [*path.glob("*.bin"), *path.glob("*.pt*")]
        hint = "pickles are not read; convert it to safetensors" if pickles else f"it has no {FILES[0]}"
        raise InputError(f"{path} holds no adapter that can be read: {hint}.")
    if not path.is_file():
        raise InputError(f"{path} does not exist; give an adapter's file or folder.")
    return [path]


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    return read_tensors(file, too_large="adapter; give a LoRA, not a whole model", remedy="fetch it again")


def _layer_name(key: str) -> str:
    """A tensor's name under the network's own layers, whoever wrote it."""
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key.replace(".lora_down.", ".lora_A.").replace(".lora_up.", ".lora_B.")


def _settings(file: Path, header: dict[str, str]) -> dict[str, Any]:
    """What is said of rank and alpha: in diffusers' header, or in the configuration beside PEFT's file."""
    beside = file.with_name("adapter_config.json")
    try:
        if _DIFFUSERS_METADATA in header:
            found = {key.removeprefix("transformer."): v for key, v in json.loads(header[_DIFFUSERS_METADATA]).items()}
        else:
            found = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        alpha = found.get("lora_alpha")
        return {"lora_alpha": None if alpha is None else float(alpha)}
    except (ValueError, TypeError, AttributeError, OSError):
        raise InputError(f"{file} has settings that cannot be read; fetch it again.") from None
