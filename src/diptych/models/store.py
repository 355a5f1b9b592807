"""A mini on disk: safetensors files whose headers say what they are.

    locator.safetensors    weights of the locator, for contracts that bring the driver's figure to the reference's place
    vae.safetensors        weights of the VAE
    denoiser.safetensors   weights of transformer and text encoder, and the contract

Files from outside are untrusted: safetensors only, sizes bounded before anything is read, headers parsed strictly.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from diptych.files import replacing, save_tensors, sha256, writing_errors
from diptych.method.contract import CONTRACT_VERSION, HEADER_KEY, Contract, mismatches
from diptych.models.adapters import (
    ADAPTER,
    adapter_files,
    load_adapter,
    read_contract,
    read_notes,
    weigh_adapters,
)
from diptych.models.headers import parsed, read_tensors
from diptych.models.locator import Locator, LocatorConfig
from diptych.models.mini import FACTS, Denoiser, DenoiserConfig, MiniBackbone, contract
from diptych.models.patches import PatchConfig, PatchVae
from diptych.types import InputError

SHIPPED = Path(__file__).parent / "weights" / "mini"
"""The mini inside the package."""

_CONFIG, _NOTES = "diptych.config", "diptych.notes"
_LARGEST_NOTES = 1 << 20

_BASE = ("denoiser.safetensors", "vae.safetensors")
"""Files of a mini that an adapter on it depends on."""

_GROWING = {
    "transformer.x_embedder.proj.weight": 1,
    "transformer.proj_out.weight": 0,
    "transformer.proj_out.bias": 0,
}
"""What a denoiser can gain when it is trained on, and along which axis."""

T = TypeVar("T")


def model_folder(model: str) -> Path:
    """Where a model lies: ``mini`` is the one in the package, anything else a folder.

    Raises:
        InputError: if there is no such folder.
    """
    folder = SHIPPED if model == "mini" else Path(model)
    if not folder.is_dir():
        raise InputError(f"there is no model {model!r}; give mini, or a folder that holds a mini's safetensors files.")
    return folder


def load_mini(folder: Path = SHIPPED, device: str = "cpu") -> MiniBackbone:
    """Loads a mini with VAE and denoiser, and the locator where its contract asks for one, in evaluation mode.

    Args:
        folder: holds the safetensors files.
        device: where to.

    Raises:
        InputError: if a file is missing, damaged, not safetensors, or speaks of another kind of model.
    """
    backbone = load_vae(folder, device)
    path = _present(folder / "denoiser.safetensors")
    tensors, header = _read(path)
    denoiser = Denoiser(_parse(DenoiserConfig, header.get(_CONFIG), path))
    _fill(denoiser, tensors, path)
    agreed = _parse(Contract, header.get(HEADER_KEY), path)
    wrong = mismatches(agreed, _served(agreed))
    if wrong:
        reasons = "; ".join(wrong)
        raise InputError(
            f"{path} cannot serve as a mini here ({reasons}); load it with the backbone and release it belongs to."
        )
    return dataclasses.replace(
        backbone,
        denoiser=denoiser.to(device).eval(),
        contract=agreed,
        locator=load_locator(folder) if agreed.motion_fit == "figure" else None,
        notes={**backbone.notes, **_notes(header, path)},
        identity={file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))},
    )


def adapted(backbone: MiniBackbone, path: Path) -> MiniBackbone:
    """A mini with an adapter on it, whose contract holds.

    Args:
        backbone: just loaded; its network is changed in place.
        path: file or folder of the adapter.

    Raises:
        InputError: if it cannot be read, or was trained on another backbone, at another size or on another mini.
    """
    agreed = read_contract(path)
    wrong = mismatches(agreed, dataclasses.replace(_served(agreed), panel_area=backbone.contract.panel_area))
    if wrong:
        raise InputError(f"{path} cannot serve on this mini ({'; '.join(wrong)}); choose the model it was trained on.")
    refuse_another_mini(path, backbone.identity)
    load_adapter(backbone.networks, path)
    weigh_adapters(backbone.networks, {ADAPTER: 1.0})
    hashes = {f"adapter/{file.name}": sha256(file) for file in adapter_files(path)}
    return dataclasses.replace(backbone, contract=agreed, identity={**backbone.identity, **hashes})


def refuse_another_mini(path: Path, identity: Mapping[str, str]) -> None:
    """Refuses an adapter that was trained on another mini.

    Args:
        path: file or folder of the adapter.
        identity: hashes of this mini's files.

    Raises:
        InputError: if it was.
    """
    base = read_notes(path).get("base")
    if isinstance(base, dict) and any(base.get(name) != identity[name] for name in _BASE):
        raise InputError(
            f"{path} was trained on another mini than this one; give the folder of that one by --model: its "
            f"denoiser's hash begins with {str(base.get(_BASE[0]))[:12]}."
        )


def load_denoiser_into(denoiser: Denoiser, path: Path) -> None:
    """Fills a denoiser from a file, to train on.

    Layers of figures that the file does not know begin with nothing, sight that it has not stays as it is, and inputs
    that it did not have count for nothing at first.

    Raises:
        InputError: if the file is missing, damaged, or of another size.
    """
    tensors = _read(_present(path))[0]
    state = denoiser.state_dict()
    if not any(name.startswith("sight.") for name in tensors):
        tensors |= {name: value for name, value in state.items() if name.startswith("sight.")}
    for name, axis in _GROWING.items():
        known, wanted = tensors.get(name), state[name]
        if known is not None and known.ndim == wanted.ndim and known.shape[axis] < wanted.shape[axis]:
            missing = list(known.shape)
            missing[axis] = wanted.shape[axis] - known.shape[axis]
            tensors[name] = torch.cat([known, known.new_zeros(missing)], dim=axis)
    _fill(denoiser, tensors, path)


def load_vae(folder: Path = SHIPPED, device: str = "cpu") -> MiniBackbone:
    """Loads only the VAE of a mini: enough to encode canvases and to measure its ceiling.

    Raises:
        InputError: as :func:`load_mini`.
    """
    path = _present(folder / "vae.safetensors")
    tensors, header = _read(path)
    vae = PatchVae(_parse(PatchConfig, header.get(_CONFIG), path))
    _fill(vae, tensors, path)
    return MiniBackbone(vae.to(device).eval(), None, contract(), notes=_notes(header, path))


def load_locator(folder: Path = SHIPPED) -> Locator:
    """Loads the locator of a mini, which looks at one small picture at a time and so stays on the CPU.

    Raises:
        InputError: as :func:`load_mini`.
    """
    path = _present(folder / "locator.safetensors")
    tensors, header = _read(path)
    locator = Locator(_parse(LocatorConfig, header.get(_CONFIG), path))
    _fill(locator, tensors, path)
    return locator.eval()


def save_locator(path: Path, locator: nn.Module, config: LocatorConfig, notes: dict[str, Any]) -> None:
    """Writes a locator, weights in half precision."""
    _write(path, _half(locator.state_dict()), {_CONFIG: _json(config), _NOTES: json.dumps(notes)})


def save_vae(path: Path, vae: nn.Module, config: PatchConfig, notes: dict[str, Any]) -> None:
    """Writes a VAE, weights in half precision."""
    _write(path, _half(vae.state_dict()), {_CONFIG: _json(config), _NOTES: json.dumps(notes)})


def save_denoiser(
    path: Path, denoiser: nn.Module, config: DenoiserConfig, agreed: Contract, notes: dict[str, Any]
) -> None:
    """Writes a denoiser with its contract, weights in half precision."""
    header = {_CONFIG: _json(config), HEADER_KEY: agreed.to_json(), _NOTES: json.dumps(notes)}
    _write(path, _half(denoiser.state_dict()), header)


def save_part(path: Path, module: nn.Module) -> None:
    """Writes a part of a model that is trained before the rest, in full precision; it never ships by itself."""
    _write(path, {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}, {})


def load_part(path: Path, module: nn.Module) -> None:
    """Fills a part of a model from a file of :func:`save_part`.

    Raises:
        InputError: if the file is missing, damaged, or of another size.
    """
    _fill(module, _read(_present(path))[0], path)


def _served(agreed: Contract) -> Contract:
    """The nearest contract that this release of the mini can keep: sizes, windows and rates are the model's own."""
    return dataclasses.replace(
        agreed,
        backbone=FACTS.name,
        layout="full",
        empty=FACTS.empty,
        mask_rule="all-frames",
        panel_multiple=FACTS.spatial_stride,
        version=CONTRACT_VERSION,
    )


def _half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().to(torch.float16).contiguous() for name, value in state.items()}


def _json(config: Any) -> str:
    return json.dumps(dataclasses.asdict(config))


def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    with writing_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            save_tensors(tensors, draft, header)


def _present(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is missing; point --model at a folder with a mini's safetensors files.")
    return path


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    return read_tensors(path, too_large="mini; point --model at a mini's folder", remedy="fetch or train it again")


def _parse(kind: type[T], text: str | None, path: Path) -> T:
    """What a header says, where it says it."""
    if text is None:
        raise InputError(f"{path} does not say what it is (no {kind.__name__} in its header); it was not made here.")
    return parsed(kind, text, path)


def _notes(header: dict[str, str], path: Path) -> dict[str, Any]:
    text = header.get(_NOTES, "{}")
    try:
        notes = json.loads(text) if len(text) <= _LARGEST_NOTES else None
    except json.JSONDecodeError:
        notes = None
    if not isinstance(notes, dict):
        raise InputError(f"{path} has notes that cannot be read; fetch it again.")
    return {f"{path.stem}": notes}


def _fill(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    expected = module.state_dict()
    wrong = [n for n, value in expected.items() if n not in tensors or tensors[n].shape != value.shape]
    wrong += [n for n in tensors if n not in expected]
    if wrong:
        raise InputError(
            f"{path} does not fit the model it names ({wrong[0]} and {len(wrong) - 1} more); fetch it again."
        )
    module.load_state_dict(tensors)
