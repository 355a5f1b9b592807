"""The doctor: facts are right where they can be checked, and whatever is broken becomes a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from diptych import cli, doctor
from diptych.method.contract import HEADER_KEY


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package folder with a mini of a few bytes."""
    contract = {"motion": "rgb", "layout": "full", "window_frames": 17, "lead_in": 5, "text": True, "version": 1}
    save_file({"w": np.zeros(4, np.float16)}, tmp_path / "denoiser.safetensors", {HEADER_KEY: json.dumps(contract)})
    save_file({"w": np.zeros(4, np.float16)}, tmp_path / "vae.safetensors")
    return tmp_path


def test_a_healthy_machine_can_animate(package: Path) -> None:
    diagnosis = doctor.diagnose(package)
    assert diagnosis.problems == ()
    facts = dict(diagnosis.facts)
    assert facts["contract"] == "rgb motion, layout full, windows of 17 frames, lead-in 5, prompts"
    assert facts["mini"].startswith("2 weight files")
    assert "H.264 by libx264" in facts["video"]
    assert facts["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert "This machine can animate." in doctor.report(diagnosis)


def test_no_model_is_a_problem(tmp_path: Path) -> None:
    diagnosis = doctor.diagnose(tmp_path)
    assert any("make mini" in problem for problem in diagnosis.problems)
    assert "will not work" in doctor.report(diagnosis)


def test_damaged_weights_are_a_finding(package: Path) -> None:
    (package / "vae.safetensors").write_bytes(b"nothing of the kind")
    diagnosis = doctor.diagnose(package)
    assert [problem for problem in diagnosis.problems if problem.startswith("vae.safetensors cannot be read")]


def test_a_library_that_does_not_load_is_a_finding(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    diagnosis = doctor.diagnose(package)
    assert [problem for problem in diagnosis.problems if problem.startswith("video: ")]
    assert "torch" in dict(diagnosis.facts)


def test_the_exit_code_says_whether_animating_works(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for problems, code in (((), 0), (("The moon is full: wait.",), 1)):
        found = doctor.Diagnosis(facts=(("moon", "full"),), problems=problems)
        monkeypatch.setattr(doctor, "diagnose", lambda found=found: found)
        assert cli.main(["doctor"]) == code
        assert "moon" in capsys.readouterr().out


def test_the_report_keeps_to_its_width(package: Path) -> None:
    diagnosis = doctor.diagnose(package)
    for width in (50, 80):
        lines = doctor.report(diagnosis, width).splitlines()
        assert max(map(len, lines)) <= width
        for _, value in diagnosis.facts:
            assert all(word in " ".join(lines) for word in value.split())


def test_bf16_flags_are_read_on_x86_and_arm() -> None:
    x86 = "processor : 0\nmodel name : X bf16\nflags\t\t: fpu amx_bf16 sse avx512_bf16\n"
    arm = "processor : 0\nFeatures\t: fp asimd bf16\n"
    assert doctor.bf16_flags(x86 + x86) == ("avx512_bf16", "amx_bf16")
    assert doctor.bf16_flags(arm) == ("bf16",)
    assert doctor.bf16_flags("flags : fpu sse") == ()


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  8000000 kB\nMemFree: 1 kB\nMemAvailable:  6000000 kB\nHugePages_Total:  0\n")
    free, total = 6000000 * 1024, 8000000 * 1024
    assert doctor.memory_limits(tmp_path, tmp_path) == (free, total)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("123\n")
    assert doctor.memory_limits(tmp_path, tmp_path) == (free, total)
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    assert doctor.memory_limits(tmp_path, tmp_path) == (2000000000, 3000000000)
    meminfo.unlink()
    assert doctor.memory_limits(tmp_path, tmp_path) is None
