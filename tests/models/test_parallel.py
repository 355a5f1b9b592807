"""One canvas in two processes equals one in one, for every backbone.

diffusers divides ranks by the number of accelerators, which is none on a CPU; ``split_in_two.py`` says there is one, in
its own processes and nowhere else.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diptych.media.decode import read_clip

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["hunyuan15", "wan2.1", "wan2.2", "motif"])
def test_two_processes_predict_what_one_does(checkpoint, name):
    words = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--rdzv_backend", "c10d"]
    words += ["--rdzv_endpoint", "localhost:0", str(HERE / "split_in_two.py"), name, str(checkpoint(name))]
    run = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    said = dict(line.split() for line in run.stdout.splitlines() if line.startswith(("split", "alone", "swapped")))
    assert float(said["split"]) < 1e-5 * float(said["alone"])
    # And the comparison can fail: another prompt moves the prediction by more than that.
    assert float(said["swapped"]) > 1e-3 * float(said["alone"])


def test_a_command_in_two_processes_makes_the_same_video(checkpoint, tmp_path):
    assets = HERE.parents[1] / "src" / "diptych" / "assets"
    words = ["animate", str(assets / "reference.png"), str(assets / "driving.mp4"), "--end", "0.5", "--quiet"]
    words += ["--backbone", "wan", "--weights", str(checkpoint("wan2.1")), "--panel-area", "4096", "--window", "9"]
    words += ["--steps", "2", "--seed", "3"]
    # Every Python below this folder is told that it has one accelerator.
    (tmp_path / "sitecustomize.py").write_text("import torch\ntorch.accelerator.device_count = lambda: 1\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    launched = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv_backend", "c10d"]
    launched += ["--rdzv_endpoint", "localhost:0"]
    for name, before in (("one", []), ("two", launched)):
        output = ["-o", str(tmp_path / f"{name}.mp4")]
        run = subprocess.run(
            [sys.executable, *before, "-m", "diptych", *words, *output],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment,
        )
        assert run.returncode == 0, run.stderr[-2000:]
    one, two = (read_clip(tmp_path / f"{name}.mp4").frames.astype(int) for name in ("one", "two"))
    assert one.shape == two.shape
    assert np.abs(one - two).mean() < 0.5
    assert np.abs(one - one[::-1]).mean() > 1  # random weights make something that moves
    assert sorted(path.name for path in tmp_path.glob("two*")) == ["two.mp4", "two.mp4.run.json"]
