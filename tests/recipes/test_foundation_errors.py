"""What can be wrong around a foundation backbone, asked for on the command line: one sentence, exit code 2, no file."""

import errno
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diptych.cli import main
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.models.adapters import LoraSettings, add_adapter, save_adapter
from diptych.models.foundation import Source
from diptych.types import Clip

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def room(tmp_path, monkeypatch):
    """The current folder, with a picture and a driver; nothing is looked up on a network."""
    import huggingface_hub.constants

    rng = np.random.default_rng(1)
    write_image(tmp_path / "picture.png", rng.integers(0, 256, (60, 40, 3), dtype=np.uint8))
    write_clip(tmp_path / "driver.mp4", Clip.at_fps(rng.integers(0, 256, (6, 48, 64, 3), dtype=np.uint8), 25))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def words(weights, *more, backbone="wan"):
    shape = ["--panel-area", "4096", "--window", "9", "--steps", "1", "--quiet"]
    chosen = ["--backbone", backbone, "--weights", str(weights)]
    return ["animate", "picture.png", "driver.mp4", "-o", "out.mp4", *chosen, *shape, *more]


def refused(capsys, weights, *more, backbone="wan"):
    """The one sentence with which the command line refuses, the licence line aside."""
    assert main(words(weights, *more, backbone=backbone)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return sentence(err)


def sentence(err):
    said = [line for line in err.splitlines() if line.startswith("diptych: ") and "licence" not in line]
    said = [line for line in said if "Apache" not in line and "stopped by a failure" not in line]
    assert len(said) == 1, err
    assert said[0].endswith(".")
    assert not Path("out.mp4").exists()
    return said[0]


def copied(checkpoint, name="wan2.1"):
    return Path(shutil.copytree(checkpoint(name), "copy"))


def test_a_repository_that_is_not_there(room, capsys):
    assert "give a folder, or a repository such as" in refused(capsys, "no-such-place/at-all")


def test_a_repository_of_something_else(room, capsys, checkpoint):
    said = refused(capsys, checkpoint("motif"))
    assert "holds a MotifVideoImage2VideoPipeline, not wan" in said
    assert "choose another --backbone" in said


@pytest.mark.parametrize("part", ["transformer", "vae", "scheduler", "text_encoder", "image_processor", "tokenizer"])
def test_a_part_that_is_missing(room, capsys, checkpoint, part):
    shutil.rmtree(copied(checkpoint) / part)
    said = refused(capsys, "copy")
    assert "fetch" in said
    assert "copy cannot be used" in said


def test_a_shard_that_is_missing(room, capsys, checkpoint):
    """An interrupted download: the table names two files of weights, and one is there."""
    from diffusers import WanTransformer3DModel

    folder = copied(checkpoint) / "transformer"
    network = WanTransformer3DModel.from_pretrained(folder)
    next(folder.glob("*.safetensors")).unlink()
    network.save_pretrained(folder, max_shard_size="200KB")
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 1
    shards[-1].unlink()
    assert "its transformer" in refused(capsys, "copy")


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
def test_a_checkpoint_of_pickles_is_not_opened(room, capsys, checkpoint, part):
    weights = next((copied(checkpoint) / part).glob("*.safetensors"))
    weights.unlink()
    name = "pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin"
    weights.with_name(name).write_bytes(pickle.dumps(_Opened()))
    assert "safetensors" in refused(capsys, "copy")


class _Opened:
    """A pickle that says so when it is opened."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize(
    ("trained", "used", "says"),
    [
        ("wan2.1", "wan2.2", "backbone is 'wan2.1' where 'wan2.2' is needed"),
        ("motif", "hunyuan15", "backbone is 'motif' where 'hunyuan15' is needed"),
    ],
)
def test_an_adapter_of_another_backbone(room, capsys, checkpoint, trained, used, says):
    from diptych.models.load import foundation

    backbone = foundation(trained.split("2")[0])(Source(str(checkpoint(trained))))
    add_adapter(backbone.transformer, backbone.facts.feed_forward, LoraSettings(rank=2))
    save_adapter(Path("adapter"), backbone.networks, backbone.contract)
    capsys.readouterr()
    said = refused(capsys, checkpoint(used), "--adapter", "adapter", backbone=used.split("2")[0])
    assert says in said
    assert "choose the backbone that it was trained on" in said


FULL = """
import resource, signal, sys
from diptych.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import diptych.recipes.animate
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


def test_a_disk_that_is_full(room, checkpoint):
    """A real process that may write no file larger than that: the system refuses as it does on a full disk."""
    line = [sys.executable, "-c", FULL, "512", *words(checkpoint("wan2.1"))]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2, ended.stderr
    assert "cannot be written" in sentence(ended.stderr)
    assert "free some space" in sentence(ended.stderr)


def test_a_disk_that_fills_while_weights_are_fetched(room, capsys, checkpoint, monkeypatch):
    from diffusers import WanTransformer3DModel

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(WanTransformer3DModel, "from_pretrained", full)
    said = refused(capsys, checkpoint("wan2.1"))
    assert "its transformer" in said
    assert "free some space, or set HF_HOME" in said


SHORT = """
import resource, sys
import torch, diffusers, transformers, peft
from diptych.cli import main
import diptych.recipes.animate
from diptych.models.wan import Wan
from diffusers import WanImageToVideoPipeline, AutoencoderKLWan, WanTransformer3DModel, UniPCMultistepScheduler
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (int(sys.argv[1]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="no /proc here")
def test_memory_that_does_not_hold_a_window(room, checkpoint):
    """A real process that may have 1 GiB more than what it has loaded, and a canvas that needs more."""
    size = ["--panel-area", str(1024 * 1024), "--window", "81"]
    line = [sys.executable, "-c", SHORT, "1024", *words(checkpoint("wan2.1"), *size)]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 2, ended.stderr
    said = sentence(ended.stderr)
    assert "memory does not hold a window" in said
    assert "--memory auto" in said


def test_memory_that_does_not_hold_the_weights(room, capsys, checkpoint, monkeypatch):
    from diffusers import WanTransformer3DModel

    def short(*args, **options):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(WanTransformer3DModel, "from_pretrained", short)
    assert "diptych plan says what is needed" in refused(capsys, checkpoint("wan2.1"))
