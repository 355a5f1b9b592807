"""Foundation backbones: image-to-video pipelines of diffusers' behind the Backbone protocol.

Networks, VAEs, tokenizers and schedulers are diffusers' and transformers' own, loaded with ``from_pretrained``. What is
ours is the seam: a canvas goes through the VAE as one clip, channels are put in the order that the network was trained
with, and features of text and reference are made once, kept, and their encoders let go.
"""

from __future__ import annotations

import copy
import dataclasses
import errno
import gc
import hashlib
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import Self

from diptych.files import replacing, save_tensors, sha256, writing_errors
from diptych.method.contract import CONTRACT_VERSION, Contract, mismatches
from diptych.method.diffusion import TIMESTEPS
from diptych.method.incontext import Condition
from diptych.models.adapters import ADAPTER, adapter_files, load_adapter, read_contract, weigh_adapters
from diptych.models.protocol import Facts
from diptych.models.savings import Savings, StepCache, save, step_cache
from diptych.types import InputError

Features = dict[str, Tensor]
"""What a network is told of text and reference, by the names of its own arguments; the first axis is the sample."""

_REMEMBERED = 64
"""Prompts and pictures whose features stay in memory."""


@dataclass(frozen=True)
class Source:
    """Where weights come from.

    Attributes:
        weights: a folder in diffusers' layout, or the name of a repository.
        revision: of the repository: a commit, a tag or a branch.
        dtype: of the networks.
        device: where they run.
    """

    weights: str
    revision: str | None = None
    dtype: torch.dtype = torch.float32
    device: str = "cpu"

    @property
    def is_folder(self) -> bool:
        """Whether the weights lie on this machine's disk."""
        return Path(self.weights).is_dir()


@dataclass(frozen=True, kw_only=True)
class Release:
    """Sizes of a release as its makers published them, to plan with before anything is downloaded.

    Attributes:
        network: of the transformer, where they are not the defaults of its class.
        vae: of the VAE, likewise.
        encoders: parameters of the encoders of text and picture.
        shift: of the schedule.
        index: what its table of parts says beside the parts.
    """

    network: dict[str, Any] = field(default_factory=dict)
    vae: dict[str, Any] = field(default_factory=dict)
    encoders: float
    shift: float = 1.0
    index: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """What all releases of a backbone have in common.

    Attributes:
        name: as on the command line.
        pipelines: class names that its repositories give themselves; the first one reads text and pictures for us.
        repository: a repository that holds it, for messages.
        licence: one line, said once.
        vae: diffusers' class of its VAE.
        network: diffusers' class of its transformer.
        releases: published sizes by name, the usual one first.
    """

    name: str
    pipelines: tuple[str, ...]
    repository: str
    licence: str
    vae: str
    network: str
    releases: dict[str, Release]


class Foundation(ABC):
    """A downloaded image-to-video pipeline as a backbone.

    Attributes:
        family: which one.
        facts: what it is.
    """

    family: ClassVar[Family]
    facts: ClassVar[Facts]
    _extrapolated: ClassVar[tuple[str, ...]]
    """Layers that a step cache may extrapolate, as regular expressions."""
    _skips_by_first_block: ClassVar[bool] = True
    """Whether all blocks hand on tensors of one shape, as ``first-block`` needs."""

    def __init__(self, source: Source, contract: Contract | None = None) -> None:
        """Loads transformer, VAE and scheduler; encoders are loaded when first needed.

        Args:
            source: where from.
            contract: of the adapter that will be put on it, or None for the plain backbone's own.

        Raises:
            InputError: if there is no such repository or folder, it holds another backbone, a part of it is missing or
                is not safetensors.
        """
        self._source = source
        self._index = _pipeline_index(self.family, source)
        _say_licence(self.family)
        self._begin(self._load, self._load_scheduler(), contract)

    @classmethod
    def sketched(cls, source: Source | None = None, release: str | None = None, dtype: Any = torch.bfloat16) -> Self:
        """The backbone at its full size on the meta device: every shape is there, and no weight.

        Args:
            source: whose configurations are read; weights are not. None takes the sizes that its makers published.
            release: which of them, of :attr:`Family.releases`; the first where nothing is said.
            dtype: of the networks.

        Raises:
            InputError: as for the whole backbone, or if there is no such release.
        """
        self = cls.__new__(cls)
        if source is None:
            known = cls.family.releases
            if release is not None and release not in known:
                raise InputError(f"there is no release {release!r} of {cls.family.name}; there are {', '.join(known)}.")
            published = known[release or next(iter(known))]
            self._source = Source(cls.family.repository, dtype=dtype, device="meta")
            self._index = published.index
            configs = {"vae": published.vae}
            scheduler = _Published(published.shift)
        else:
            self._source = dataclasses.replace(source, dtype=dtype, device="meta")
            self._index = _pipeline_index(cls.family, source)
            configs, published = {}, None
            scheduler = self._load_scheduler()

        def sketch(kind: str, part: str) -> Any:
            import diffusers

            found = getattr(diffusers, kind)
            if published is None:
                config = configured(found, self._source, part)
            else:
                config = configs.get(part, published.network)
            with torch.device("meta"):
                return _cast(found.from_config(config), dtype)

        self._begin(sketch, scheduler, None)
        return self

    def _begin(self, load: Callable[[str, str], Any], scheduler: Any, contract: Contract | None) -> None:
        """Takes in the parts: ``load`` opens one by the name of its class and of its folder."""
        self._vae = load(self.family.vae, "vae")
        self._networks = tuple(load(self.family.network, part) for part in self._parts)
        self._scheduler = scheduler
        for module in (self._vae, *self._networks):
            module.requires_grad_(False).eval()
        self._to_place: dict[str, list[Any]] = {"vae": [self._vae], "networks": [*self._networks]}
        self._encoders: Any = None
        self._kept: dict[str, Features] = {}
        self._scales: dict[str, float] = {}
        self._on_top: dict[str, str] = {}
        self._asked_for = ""
        self._contract = contract or self._plain_contract()

    # --- what a family says of itself -------------------------------------------------------------------------------

    @abstractmethod
    def _plain_contract(self) -> Contract:
        """The contract of the backbone without an adapter: what its pre-training suggests."""

    @property
    def _parts(self) -> tuple[str, ...]:
        """Folders of the networks."""
        return ("transformer",)

    @abstractmethod
    def _read_prompt(self, prompt: str) -> Features:
        """Features of one prompt, b = 1."""

    @abstractmethod
    def _read_reference(self, picture: Tensor) -> Features:
        """Features of one picture in [-1, 1], ``(3, h, w)``, b = 1; empty where the network reads none."""

    @abstractmethod
    def stand_in(self) -> Features:
        """Features of the longest usual prompt and of a picture, b = 1, of the right shapes and without meaning."""

    @abstractmethod
    def _set_steps(self, scheduler: Any, steps: int, shape: Sequence[int]) -> None:
        """Sets a scheduler's timesteps as the family's own pipeline does."""

    @abstractmethod
    def _predict(self, x: Tensor, sigma: Tensor, features: Features) -> Tensor:
        """The network's own output for :func:`diptych.method.incontext.model_input`."""

    # --- the protocol -----------------------------------------------------------------------------------------------

    @property
    def contract(self) -> Contract:
        """What the weights, or the adapter on them, were trained for."""
        return self._contract

    @property
    def device(self) -> torch.device:
        """Where the networks run."""
        return torch.device(self._source.device)

    def resize(self, panel_area: int | None, window_frames: int | None) -> None:
        """Takes canvases of another size.

        Raises:
            InputError: if no window of that length can be.
        """
        self._contract = resized(self._contract, panel_area, window_frames)

    def train_for(self, contract: Contract) -> None:
        """Takes over the contract of an adapter that is to be trained on it."""
        self._contract = contract

    def adapt(self, path: Path) -> None:
        """Puts an adapter on, and takes over its contract.

        Raises:
            InputError: if it cannot be read, or was trained for another backbone or another kind of canvas.
        """
        agreed = self.agree(path)
        trained = self._parts if agreed.experts is None else agreed.experts
        on = [network for part, network in zip(self._parts, self._networks, strict=True) if part in trained]
        self._stack(path, ADAPTER, 1.0, on)
        self._contract = agreed

    def agree(self, path: Path) -> Contract:
        """The contract of an adapter that can serve here; a sketch takes it over without the adapter.

        Raises:
            InputError: as :meth:`adapt`.
        """
        agreed, plain = read_contract(path), self._plain_contract()
        # Contracts older than these fields leave them open, and an adapter may be of one expert alone.
        known = set(agreed.experts or ()) <= set(plain.experts or ())
        served = dataclasses.replace(
            agreed,
            backbone=plain.backbone,
            experts=agreed.experts if known else plain.experts,
            boundary=None if agreed.boundary is None else plain.boundary,
            layout="full",
            empty=self.facts.empty,
            mask_rule="all-frames",
            panel_multiple=16,
            version=CONTRACT_VERSION,
        )
        wrong = mismatches(agreed, served)
        if wrong:
            raise InputError(
                f"{path} cannot serve here ({'; '.join(wrong)}); choose the backbone that it was trained on."
            )
        if self.device.type == "meta":
            self._contract = agreed
        return agreed

    def stack(self, path: Path, scale: float = 1.0) -> None:
        """Puts somebody's LoRA beside what is there: a style, or fewer steps.

        Raises:
            InputError: if it cannot be read or is not for this backbone.
        """
        self._stack(path, f"lora_{len(self._scales)}", scale)

    def save(self, savings: Savings) -> None:
        """Applies savings of memory or time; adapters must lie on it already.

        Raises:
            InputError: if a library or a back-end is missing, or the backbone cannot do it.
        """
        if savings.step_cache == "first-block" and not self._skips_by_first_block:
            raise InputError(f"{self.family.name} cannot be cached by its first block; use --step-cache taylor.")
        if savings.offload is not None:
            self._to_place["networks"] = []  # they come to the device in portions, never whole
        save(savings, self._networks, self._vae, self.device, self._extrapolated)

    def share(self, processes: int) -> None:
        """Splits every canvas between the processes of the initialised group; all must be asked the same.

        Args:
            processes: how many there are.

        Raises:
            InputError: if the backbone cannot be split together with what was asked for before.
        """
        if any(network.is_cache_enabled for network in self._networks):
            raise InputError(f"{self.family.name} on several devices keeps no steps; leave --step-cache out.")
        self._share(processes)

    @abstractmethod
    def _share(self, processes: int) -> None:
        """Splits the networks' tokens (``parallel.py``)."""

    def _settle(self, part: str) -> None:
        """Moves what runs to its device, when it first runs: by then it is known what stays in main memory.

        The networks come last, when the encoders of text and picture have gone: they need not lie beside each other.
        """
        while self._to_place[part]:
            self._to_place[part].pop().to(self.device)

    def cache_steps(self, kind: StepCache | None) -> None:
        """Puts a step cache on the networks, or takes it off."""
        for network in self._networks:
            if network.is_cache_enabled:
                network.disable_cache()
            if kind is not None:
                network.enable_cache(step_cache(kind, self._extrapolated))

    def _stack(self, path: Path, name: str, scale: float, on: Sequence[Any] | None = None) -> None:
        load_adapter(self._networks if on is None else on, path, name)
        self._scales[name] = scale
        for file in adapter_files(path):
            self._on_top[str(file)] = f"{sha256(file)} x {scale:g}"
        weigh_adapters(self._networks, self._scales)

    @property
    def networks(self) -> tuple[Any, ...]:
        """The transformers: one, or Wan 2.2's two experts."""
        return self._networks

    @property
    def vae(self) -> Any:
        """Pixels to latents and back."""
        return self._vae

    @property
    def transformer(self) -> Any:
        """The network; of two experts, the one for high noise."""
        return self._networks[0]

    @property
    def identity(self) -> dict[str, str]:
        """Sizes of the weight files of a folder, or the repository's commit; hashes and scales of what lies on top."""
        return {**identity(self._source, self._index), **self._on_top}

    def encode_text(self, prompts: Sequence[str], references: Tensor | None = None) -> Features:
        """Features of prompts and references; the encoders stay open until :meth:`denoise` is first called."""
        if references is None:
            raise ValueError(f"{self.family.name} reads the reference as tokens too; hand it in")
        rows = []
        for prompt, picture in zip(prompts, references, strict=True):
            row = {**self._prompt(prompt), **self._reference(picture)}
            rows.append(row)
        return {name: torch.cat([row[name] for row in rows]).to(self.device) for name in rows[0]}

    def encode_canvas(self, pixels: Tensor) -> Tensor:
        """A canvas as one clip to latents: the mode of the posterior, float32."""
        self._settle("vae")
        with torch.no_grad():
            return encoded(self._vae, pixels.to(self.device))

    def fold_mask(self, condition: Condition) -> Condition:
        """One channel, as it is."""
        return condition

    def denoise(self, x: Tensor, sigma: Tensor, text: Features) -> Tensor:
        """The velocity, float32."""
        self._let_encoders_go()
        self._settle("networks")
        self._asked_for = f"{id(text):x}"
        return self._predict(x.to(self.transformer.dtype), sigma, text).float()

    def solver(self, steps: int, shape: Sequence[int]) -> SchedulerSolver:
        """The repository's own scheduler, set as its own pipeline sets it; step caches begin anew with it."""
        for network in self._networks:
            if network.is_cache_enabled:
                network._reset_stateful_cache()
        scheduler = copy.deepcopy(self._scheduler)
        self._set_steps(scheduler, steps, shape)
        return SchedulerSolver(scheduler)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents of one panel to pixels, float32, clamped to [-1, 1]."""
        self._settle("vae")
        with torch.no_grad():
            pixels = self._vae.decode(self._denormalised(latents.float()).to(self._vae.dtype), return_dict=False)[0]
        return pixels.float().clamp(-1, 1)

    def _ask(self, network: Any, **inputs: Any) -> Tensor:
        """A network's answer. Step caches keep prompted and unprompted predictions apart by the features' name."""
        with network.cache_context(self._asked_for):
            answer: Tensor = network(return_dict=False, **inputs)[0]
        return answer

    def features_of(self, prompt: str, picture: Tensor) -> Features:
        """Features of one prompt and one picture in [-1, 1], ``(3, h, w)``, b = 1, on the CPU; nothing is kept of them.

        For training, where there are as many pictures as clips and the draws' cache keeps what is needed.
        """
        self._encoders = self._encoders or self._open_encoders()
        with torch.no_grad():
            made = {**self._read_prompt(prompt), **self._read_reference(picture)}
        return {name: value.cpu() for name, value in made.items()}

    # --- features: made once, kept ----------------------------------------------------------------------------------

    def _prompt(self, prompt: str) -> Features:
        key = hashlib.sha256(prompt.encode()).hexdigest()
        return self._keep(f"text-{key}", lambda: self._read_prompt(prompt))

    def _reference(self, picture: Tensor) -> Features:
        pixels = to_bytes(picture)
        key = hashlib.sha256(pixels.numpy().tobytes() + str(tuple(pixels.shape)).encode()).hexdigest()
        return self._keep(f"picture-{key}", lambda: self._read_reference(picture))

    def _keep(self, key: str, make: Any) -> Features:
        if key not in self._kept:
            weights = identity(self._source, self._index)
            stored = _FeatureFile(self.family.name, weights, self._source.dtype, key)
            found = stored.read()
            if found is None:
                if self._encoders is None:
                    self._encoders = self._open_encoders()
                with torch.no_grad():
                    found = {name: value.cpu() for name, value in make().items()}
                stored.write(found)
            if len(self._kept) >= _REMEMBERED:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = found
        return self._kept[key]

    def _let_encoders_go(self) -> None:
        if self._encoders is not None:
            self._encoders = None
            gc.collect()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    # --- loading ----------------------------------------------------------------------------------------------------

    def _load(self, kind: str, part: str) -> Any:
        """One part of the pipeline, of a class of diffusers', safetensors only."""
        import diffusers

        found = getattr(diffusers, kind)
        return loaded(found, self._source, part, use_safetensors=True, torch_dtype=self._source.dtype)

    def _load_scheduler(self) -> Any:
        """The scheduler that the repository names: releases of one family differ in their solver.

        Raises:
            InputError: if it names none.
        """
        import diffusers

        named = self._index.get("scheduler")
        kind = getattr(diffusers, str(named[1]), None) if isinstance(named, list) and len(named) == 2 else None
        if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
            raise InputError(f"{self._source.weights} names {named!r} as its scheduler; fetch the repository again.")
        return loaded(kind, self._source, "scheduler")

    def _open_encoders(self) -> Any:
        """The family's pipeline with its encoders, for :meth:`_read_prompt` and :meth:`_read_reference`."""
        import diffusers

        source, ours = self._source, {**dict(zip(self._parts, self._networks, strict=True)), "vae": self._vae}
        try:
            opened = getattr(diffusers, self.family.pipelines[0]).from_pretrained(
                source.weights, revision=source.revision, torch_dtype=source.dtype, use_safetensors=True, **ours
            )
        except (OSError, ValueError, RuntimeError, KeyError, MemoryError) as error:
            reason = " ".join(str(error).split())[:200]
            hint = _lacking(error) or "fetch it again"
            raise InputError(f"{source.weights} cannot be used: its encoders ({reason}); {hint}.") from None
        # What is ours has its place already; a pipeline moved as a whole would take it along.
        for name, part in opened.components.items():
            if isinstance(part, torch.nn.Module) and name not in ours:
                part.to(source.device)
        return opened

    # --- small things that families share ---------------------------------------------------------------------------

    def _normalised(self, latents: Tensor) -> Tensor:
        return normalised(latents, self._vae.config)

    def _denormalised(self, latents: Tensor) -> Tensor:
        factor, offset = _scaling(self._vae.config, latents)
        return latents / factor + offset

    @property
    def _shift(self) -> float:
        """Of the schedule, under either of the names that schedulers give it."""
        config = self._scheduler.config
        return float(config.get("flow_shift") or config.get("shift") or 1.0)


def loaded(kind: Any, source: Source, part: str, **options: Any) -> Any:
    """``kind.from_pretrained`` of one part, with its failures in a sentence.

    Raises:
        InputError: if it is missing, damaged, or holds anything but safetensors.
    """
    try:
        return kind.from_pretrained(source.weights, subfolder=part, revision=source.revision, **options)
    except (OSError, ValueError, RuntimeError, KeyError, MemoryError) as error:
        reason = " ".join(str(error).split())
        hint = _lacking(error) or "fetch the repository again"
        if source.is_folder and not (Path(source.weights) / part).is_dir():
            reason, hint = f"there is no folder {part}", "fetch the whole repository"
        elif source.is_folder and _has_only_pickles(Path(source.weights) / part):
            reason, hint = "it holds no safetensors, and other weights are not read", "convert it to safetensors"
        raise InputError(f"{source.weights} cannot be used: its {part} ({reason[:200]}); {hint}.") from None


def _lacking(error: Exception) -> str | None:
    """What to do where nothing is wrong with the weights, but the machine has no room for them."""
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
        return "free some space, or set HF_HOME to a folder on a larger disk"
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return "main memory does not hold it, so close other programs; diptych plan says what is needed"
    return None


def _has_only_pickles(folder: Path) -> bool:
    return not list(folder.glob("*.safetensors")) and bool([*folder.glob("*.bin"), *folder.glob("*.pt*")])


def _pipeline_index(family: Family, source: Source) -> dict[str, Any]:
    """The repository's table of parts.

    Raises:
        InputError: if there is none, or it is of another backbone.
    """
    from diffusers import DiffusionPipeline

    try:
        if source.is_folder:
            path = Path(source.weights) / "model_index.json"
            if not path.is_file():
                raise InputError(
                    f"{source.weights} is no checkpoint of {family.name}: it has no model_index.json; give a folder in "
                    f"diffusers' layout, as {family.repository} has."
                )
            index = json.loads(path.read_text(encoding="utf-8"))
        else:
            index = DiffusionPipeline.load_config(source.weights, revision=source.revision)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        hint = _lacking(error) or f"give a folder, or a repository such as {family.repository}"
        raise InputError(f"{source.weights} cannot be loaded ({reason}); {hint}.") from None
    found = index.get("_class_name") if isinstance(index, dict) else None
    if found not in family.pipelines:
        raise InputError(
            f"{source.weights} holds a {found}, not {family.name} ({' or '.join(family.pipelines)}); choose another "
            "--backbone or other --weights."
        )
    return index


def identity(source: Source, index: dict[str, Any]) -> dict[str, str]:
    """Which weights these are, without reading all of them: a commit, or names, sizes and times of a folder's files."""
    if source.is_folder:
        root = Path(source.weights)
        files = sorted(root.glob("*/*.safetensors"))
        facts = {str(path.relative_to(root)): path.stat() for path in files}
        return {name: f"{stat.st_size} bytes, {stat.st_mtime_ns}" for name, stat in facts.items()}
    return {source.weights: str(index.get("_commit_hash") or source.revision or "main")}


class _Published:
    """As much of a scheduler as a sketch needs."""

    def __init__(self, shift: float) -> None:
        self.config = {"shift": shift}


def configured(kind: Any, source: Source, part: str) -> dict[str, Any]:
    """The configuration of one part, without its weights.

    Raises:
        InputError: if it is missing or damaged.
    """
    try:
        config: dict[str, Any] = kind.load_config(source.weights, subfolder=part, revision=source.revision)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        hint = _lacking(error) or "fetch the repository again"
        raise InputError(f"{source.weights} cannot be used: its {part} ({reason}); {hint}.") from None
    return config


def _cast(module: Any, dtype: torch.dtype) -> Any:
    """A sketch in the type that it computes in, but for what diffusers keeps in full precision."""
    kept = set(module._keep_in_fp32_modules or ())
    for name, parameter in module.named_parameters():
        if not kept & set(name.split(".")):
            parameter.data = parameter.data.to(dtype)
    return module


_SAID: set[str] = set()


def _say_licence(family: Family) -> None:
    if family.name not in _SAID:
        _SAID.add(family.name)
        print(f"diptych: {family.licence}", file=sys.stderr)


class SchedulerSolver:
    """A scheduler of diffusers', whose timesteps are set, as a solver."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    @property
    def sigmas(self) -> Tensor:
        """What the network is told, as a share of its 1,000 timesteps."""
        times: Tensor = self._scheduler.timesteps
        return times.float() / TIMESTEPS

    def step(self, v: Tensor, index: int, x: Tensor) -> Tensor:
        """From the ``index``-th sigma to the next."""
        stepped: Tensor = self._scheduler.step(v, self._scheduler.timesteps[index], x, return_dict=False)[0]
        return stepped


def to_bytes(picture: Tensor) -> Tensor:
    """A picture in [-1, 1], ``(3, h, w)``, as uint8 ``(h, w, 3)`` on the CPU: what it was before it was scaled."""
    return ((picture.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)


def encoded(vae: Any, pixels: Tensor) -> Tensor:
    """Pixels to latents of about unit variance: the mode of the posterior, float32."""
    coded: Tensor = vae.encode(pixels.to(vae.dtype)).latent_dist.mode()
    return normalised(coded.float(), vae.config)


def normalised(latents: Tensor, config: Any) -> Tensor:
    """A VAE's latents at about unit variance, by the figures that its configuration holds."""
    factor, offset = _scaling(config, latents)
    return (latents - offset) * factor


def _scaling(config: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """Factor and offset of latents: by channel where the configuration lists mean and spread, else one factor."""
    if config.get("latents_mean") is None:
        return torch.tensor(config.scaling_factor).to(like), torch.zeros(()).to(like)
    mean, spread = (torch.tensor(numbers).view(1, -1, 1, 1, 1) for numbers in (config.latents_mean, config.latents_std))
    return 1 / spread.to(like), mean.to(like)


class _FeatureFile:
    """Features of one prompt or picture on disk, under a name that says what they were made of and by what."""

    def __init__(self, family: str, weights: dict[str, str], dtype: torch.dtype, key: str) -> None:
        facts = json.dumps([family, sorted(weights.items()), str(dtype), key])
        home = os.environ.get("DIPTYCH_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        name = hashlib.sha256(facts.encode()).hexdigest()
        self._path = Path(home) / "diptych" / "features" / f"{name}.safetensors"

    def read(self) -> Features | None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self._path) if self._path.is_file() else None
        except (SafetensorError, OSError, ValueError):
            return None  # torn by a full disk or an older release: made again

    def write(self, features: Features) -> None:
        with writing_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as draft:
                save_tensors({name: value.contiguous() for name, value in features.items()}, draft)


def plain_contract(
    backbone: str, facts: Facts, *, lead_in: int, history: int, window_frames: int, fps: float, sigma_shift: float
) -> Contract:
    """The contract of a backbone that nobody has adapted yet, at 480p."""
    return Contract(
        backbone=backbone,
        motion="rgb",
        layout="full",
        empty=facts.empty,
        mask_rule="all-frames",
        lead_in=lead_in,
        history=history,
        window_frames=window_frames,
        panel_area=480 * 832,
        panel_multiple=16,
        fps=(fps / 2, fps * 2),
        sigma_shift=sigma_shift,
        loss_region="canvas",
        text=True,
    )


def resized(contract: Contract, panel_area: int | None, window_frames: int | None) -> Contract:
    """The contract at another size: foundation backbones are not bound to the one they were adapted at.

    Raises:
        InputError: if no window of that length can be.
    """
    frames = window_frames or contract.window_frames
    # A short window keeps a short lead-in and history, both on borders of latent cells.
    third = (frames - 1) // 3 // 4 * 4
    try:
        return dataclasses.replace(
            contract,
            panel_area=panel_area or contract.panel_area,
            window_frames=frames,
            lead_in=min(contract.lead_in, 1 + third),
            history=min(contract.history, max(4, third)),
        )
    except ValueError as error:
        raise InputError(f"that size of canvas cannot be ({error}); a window has 1 + 4k frames, at least 9.") from None
