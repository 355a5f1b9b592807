"""What this machine can do: facts about it, and advice that follows from them.

Every fact is looked up on its own: a library that is missing or broken becomes a line of the report, never a crash.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = Path(__file__).parent
GIB = 2**30

ANIMATE_MEMORY = 3 * GIB
"""What ``diptych animate`` with the mini may take at its peak, in bytes."""

TRAINING_DISK = 10 * GIB
"""Room that a training run of the mini wants for its cache and checkpoints, in bytes."""

LIBRARIES = ("diffusers", "safetensors", "numpy", "av", "opencv-python-headless", "pillow", "pydantic", "rich")
TRAINING_LIBRARIES = ("accelerate", "tensorboard")

BF16_FLAGS = ("avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16", "svebf16")
"""Processor flags that promise bf16 arithmetic in hardware, as Linux spells them on x86 and on Arm."""


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes:
        facts: (name, value) in the order in which they are printed.
        advice: sentences on what to do or to expect.
        problems: sentences on what keeps ``diptych animate`` from working here; empty on a healthy machine.
    """

    facts: tuple[tuple[str, str], ...] = ()
    advice: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def diagnose(package: Path = PACKAGE, folder: Path | None = None) -> Diagnosis:
    """Looks at the machine, the libraries and the bundled model.

    Args:
        package: folder of the installed package, where the bundled model lies.
        folder: where results are going to be written; its disk is measured. The current folder if None.
    """
    looks: dict[str, Callable[[], Diagnosis]] = {
        "python": _python,
        "torch": _torch,
        "device": _device,
        "bf16": _bf16,
        "libraries": _libraries,
        "video": _video,
        "disk": lambda: _disk(folder or Path.cwd()),
        "memory": _memory,
        "mini": lambda: _mini(package),
    }
    found = []
    for name, look in looks.items():
        try:
            found.append(look())
        except Exception as failure:  # a broken library is what a doctor is called for
            found.append(Diagnosis(problems=(f"{name}: {type(failure).__name__}: {failure}",)))
    return Diagnosis(
        facts=tuple(fact for part in found for fact in part.facts),
        advice=tuple(sentence for part in found for sentence in part.advice),
        problems=tuple(sentence for part in found for sentence in part.problems),
    )


def report(diagnosis: Diagnosis, width: int = 80) -> str:
    """The diagnosis as text, no line longer than ``width`` characters where words allow it."""
    column = 2 + max(len(name) for name, _ in diagnosis.facts)

    def fill(text: str, head: str, indent: int) -> str:
        return textwrap.fill(
            text, width, initial_indent=head.ljust(indent), subsequent_indent=" " * indent, break_on_hyphens=False
        )

    lines = [fill(value, name, column) for name, value in diagnosis.facts]
    for title, sentences in (("Problems", diagnosis.problems), ("Advice", diagnosis.advice)):
        if sentences:
            lines += ["", title, *(fill(sentence, "  - ", 4) for sentence in sentences)]
    lines += ["", "This machine can animate." if not diagnosis.problems else "diptych animate will not work here yet."]
    return "\n".join(lines)


def version_of(distribution: str) -> str:
    """Version of an installed distribution, or "not installed". Imports nothing."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def bf16_flags(cpuinfo: str) -> tuple[str, ...]:
    """Flags of ``/proc/cpuinfo`` that promise bf16 arithmetic, each once, in the order of ``BF16_FLAGS``."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    flags = {flag for key, _, value in lines if key.strip() in ("flags", "Features") for flag in value.split()}
    return tuple(flag for flag in BF16_FLAGS if flag in flags)


def memory_limits(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> tuple[int, int] | None:
    """Memory that is free and that there is at all, in bytes; a container's limit counts. None if it cannot be told."""
    try:
        pairs = (line.split(":") for line in (proc / "meminfo").read_text().splitlines())
        kib = {name: int(value.split()[0]) for name, value in pairs}
        free, total = 1024 * kib["MemAvailable"], 1024 * kib["MemTotal"]
    except (OSError, KeyError, ValueError, IndexError):
        return None
    for limit_file, used_file in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit, used = (int((cgroup / name).read_text()) for name in (limit_file, used_file))
        except (OSError, ValueError):  # no such file, or the word "max": no limit
            continue
        total, free = min(total, limit), min(free, max(limit - used, 0))
    return free, total


def contract_of(weights: Path) -> dict[str, object] | None:
    """The contract in the header of a safetensors file, or None where it holds none."""
    from safetensors import safe_open

    from diptych.method.contract import HEADER_KEY

    with safe_open(weights, framework="numpy") as file:
        line = (file.metadata() or {}).get(HEADER_KEY)
    return json.loads(line) if line else None


def nvidia_card_answers() -> bool:
    """Whether ``nvidia-smi`` is there and finds a card."""
    try:
        return subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _python() -> Diagnosis:
    where = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Diagnosis(facts=(("diptych", version_of("diptych")), ("python", where)))


def _torch() -> Diagnosis:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    return Diagnosis(
        facts=(("torch", f"{torch.__version__}, {threads} threads on {cores} usable cores"),),
        advice=(f"More threads than cores slow everything down: pass --threads {cores}.",) if threads > cores else (),
    )


def _device() -> Diagnosis:
    import torch

    if torch.cuda.is_available():
        facts = []
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            facts.append(("device", f"{name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"))
        return Diagnosis(facts=tuple(facts))
    if nvidia_card_answers():
        advice = (
            "There is an NVIDIA card, but this torch cannot use it: delete .venv and run make again, "
            "or install a CUDA build of torch that fits the driver."
        )
    else:
        advice = "The bundled mini is made for the CPU; models of production quality need a CUDA GPU."
    return Diagnosis(facts=(("device", "no GPU: CPU"),), advice=(advice,))


def _bf16() -> Diagnosis:
    try:
        flags = bf16_flags(Path("/proc/cpuinfo").read_text())
    except OSError:
        return Diagnosis(facts=(("bf16", "cannot be told on this system"),))
    if flags:
        return Diagnosis(facts=(("bf16", f"in the processor ({', '.join(flags)})"),))
    return Diagnosis(
        facts=(("bf16", "not in the processor"),),
        advice=("Without bf16 instructions training takes several times as long as the figures in docs say.",),
    )


def _libraries() -> Diagnosis:
    versions = {name: version_of(name) for name in (*LIBRARIES, *TRAINING_LIBRARIES)}
    missing = [name for name in LIBRARIES if versions[name] == "not installed"]
    untrained = any(versions[name] == "not installed" for name in TRAINING_LIBRARIES)
    return Diagnosis(
        facts=(
            ("libraries", ", ".join(f"{name} {versions[name]}" for name in LIBRARIES)),
            ("training", ", ".join(f"{name} {versions[name]}" for name in TRAINING_LIBRARIES)),
        ),
        advice=("To train, install what training needs: pip install -e '.[train]'.",) if untrained else (),
        problems=(f"Missing {', '.join(missing)}: run pip install -e . in the project's folder.",) if missing else (),
    )


def _video() -> Diagnosis:
    import av
    from av.codec import Codec

    def encoder(name: str) -> str | None:
        try:
            return Codec(name, "w").name
        except ValueError:  # av's own "unknown codec" is one
            return None

    h264, aac = encoder("h264"), encoder("aac")
    libraries = ", ".join(
        f"{name} {'.'.join(str(part) for part in av.library_versions[name])}" for name in ("libavcodec", "libavformat")
    )
    coders = f"H.264 by {h264 or 'nothing'}, AAC by {aac or 'nothing'}"
    return Diagnosis(
        facts=(("video", f"{libraries}; writes {coders}"),),
        advice=() if aac else ("Audio that mp4 cannot hold as it is will be left out: this av cannot write AAC.",),
        problems=() if h264 else ("This av cannot write H.264: reinstall it from its own wheel (pip install av).",),
    )


def _disk(folder: Path) -> Diagnosis:
    disk = shutil.disk_usage(folder)
    short = disk.free < TRAINING_DISK
    return Diagnosis(
        facts=(("disk", f"{disk.free / GIB:.0f} of {disk.total / GIB:.0f} GiB free in {folder.name or folder}"),),
        advice=(f"Less than {TRAINING_DISK // GIB} GiB of disk is free: too little to train.",) if short else (),
    )


def _memory() -> Diagnosis:
    memory = memory_limits()
    if memory is None:
        return Diagnosis(facts=(("memory", "cannot be told on this system"),))
    free, total = memory
    short = free < ANIMATE_MEMORY
    return Diagnosis(
        facts=(("memory", f"{free / GIB:.1f} of {total / GIB:.1f} GiB free"),),
        advice=(f"Less than {ANIMATE_MEMORY // GIB} GiB of memory is free: a long video may not fit.",)
        if short
        else (),
    )


def _mini(package: Path) -> Diagnosis:
    files = sorted(package.rglob("*.safetensors"))
    if not files:
        return Diagnosis(
            facts=(("mini", "not bundled with this copy"),),
            problems=("No model is bundled here: train one with make mini, or name its folder with --model.",),
        )
    size = sum(file.stat().st_size for file in files)
    facts = [("mini", f"{len(files)} weight file{'s'[: len(files) > 1]}, {size / 2**20:.1f} MiB")]
    problems = []
    for file in files:
        try:
            contract = contract_of(file)
        except Exception as failure:  # damaged weights are a finding
            problems.append(f"{file.name} cannot be read ({failure}): fetch the project again.")
        else:
            facts += [("contract", summary(contract))] if contract else []
    return Diagnosis(facts=tuple(facts), problems=tuple(problems))


def summary(contract: dict[str, object]) -> str:
    """One line on what a model was trained for, of the fields of its contract that mean something to a user."""
    fields: tuple[tuple[str, Callable[[object], str]], ...] = (
        ("motion", lambda value: f"{value} motion"),
        ("layout", lambda value: f"layout {value}"),
        ("panel_area", lambda value: f"panels of {value} pixels"),
        ("window_frames", lambda value: f"windows of {value} frames"),
        ("lead_in", lambda value: f"lead-in {value}"),
        ("history", lambda value: f"history {value}"),
        ("text", lambda value: "prompts" if value else "no prompts"),
    )
    return ", ".join(show(contract[name]) for name, show in fields if name in contract)
