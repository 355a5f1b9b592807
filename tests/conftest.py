"""What every test may import: the small made-up parts that lie beside this file; and what is made once for all."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A small random foundation checkpoint by name, made when first asked for; to be read and never changed."""
    import checkpoints

    makers = {
        "hunyuan15": lambda folder: checkpoints.hunyuan15(folder),
        "wan2.1": lambda folder: checkpoints.wan(folder),
        "wan2.1-euler": lambda folder: checkpoints.wan(folder, scheduler="euler"),
        "wan2.2": lambda folder: checkpoints.wan(folder, release="2.2"),
        "motif": lambda folder: checkpoints.motif(folder),
    }
    root = tmp_path_factory.mktemp("foundations")

    def made(name: str) -> Path:
        folder = root / name
        if not folder.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of libraries, about what they lack and what is experimental
                makers[name](folder)
        return folder

    return made


@pytest.fixture(autouse=True)
def features_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache of features."""
    monkeypatch.setenv("DIPTYCH_CACHE", str(tmp_path / "cache"))
