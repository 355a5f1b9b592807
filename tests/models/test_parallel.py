"""One canvas in two processes equals one in one, for every backbone.

diffusers divides ranks by the number of accelerators, which is none on a CPU; ``split_in_two.py`` says there is one, in
its own processes and nowhere else.
"""

import subprocess
import sys
from pathlib import Path

import pytest

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
