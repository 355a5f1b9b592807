"""The depth estimator on small random checkpoints in the real format."""

import json
import shutil

import numpy as np
import pytest
import torch

from depths import depth_anything, dpt
from diptych.experts.depth import DepthEstimator
from diptych.experts.weights import Weights
from diptych.types import InputError


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("depth")
    return {
        "relative": depth_anything(root / "relative"),
        "metric": depth_anything(root / "metric", kind="metric"),
        "dpt": dpt(root / "dpt"),
    }


def estimator(folder, **options):
    return DepthEstimator(Weights(str(folder)), **options)


def frames(count=5, height=40, width=60, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("kind", ["relative", "metric", "dpt"])
def test_every_pixel_of_every_frame_is_somewhere_between_far_and_near(folders, kind):
    found = estimator(folders[kind])(frames())
    assert (found.shape, found.dtype) == ((5, 40, 60), np.float32)
    assert (found.min(), found.max()) == (0, 1)
    # A random network tells frames and places apart.
    assert found.std() > 0.01


def test_frames_are_looked_at_one_by_one_however_many_go_together(folders):
    clip = frames()
    alone, together = (estimator(folders["relative"], frames_at_once=n).nearness(clip) for n in (1, 3))
    assert np.allclose(alone, together, atol=1e-4 * np.abs(alone).max())
    assert np.allclose(together[2], estimator(folders["relative"]).nearness(clip[2:3])[0], atol=1e-4 * alone.max())


def test_one_scale_holds_for_all_frames_of_a_clip(folders):
    find, clip = estimator(folders["relative"]), frames()
    nearness = find.nearness(clip)
    span = find.range_of(nearness)
    parts = [span.normalised(find.nearness(clip[i : i + 2])) for i in range(0, 5, 2)]
    assert np.allclose(np.concatenate(parts), find(clip), atol=1e-3)


def test_metres_become_nearness(folders):
    find = estimator(folders["metric"])
    with torch.inference_mode():
        metres = find._network(pixel_values=find._pixels(frames(1, 42, 42))).predicted_depth.numpy()
    near = find.nearness(frames(1, 42, 42))
    assert np.allclose(near, 1 / np.maximum(metres, 0.05), rtol=1e-4)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((40, 60), (42, 56)),
        ((42, 42), (42, 42)),
        ((1080, 1920), (42, 70)),
        ((64, 32), (84, 42)),
        ((10, 9000), (14, 42)),
    ],
)
def test_pictures_are_shown_as_the_processor_of_the_repository_would(folders, size, shown):
    assert estimator(folders["relative"])._shown.size_for(*size) == shown


def test_the_sizes_are_those_of_transformers_own_processor(folders):
    from transformers.models.dpt import image_processing_pil_dpt as theirs

    for height, width in ((40, 60), (1080, 1920), (64, 32), (333, 77)):
        made = theirs.get_resize_output_image_size(np.zeros((3, height, width)), (42, 42), True, 14)
        ours = estimator(folders["relative"])._shown.size_for(height, width)
        assert ours == ((made.height, made.width) if hasattr(made, "height") else tuple(made))


def test_what_is_no_estimator_of_depth_is_refused_with_a_remedy(folders, tmp_path):
    with pytest.raises(InputError, match=r"nowhere.*name a folder that is there"):
        estimator(tmp_path / "nowhere")
    other = shutil.copytree(folders["relative"], tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "glpn"}))
    with pytest.raises(InputError, match="is a glpn; the depth estimator has to be"):
        estimator(other)
    silent = shutil.copytree(folders["relative"], tmp_path / "silent")
    (silent / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"preprocessor_config\.json is needed"):
        estimator(silent)
    huge = shutil.copytree(folders["relative"], tmp_path / "huge")
    (huge / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 10**9, "width": 14}}))
    with pytest.raises(InputError, match="no network takes"):
        estimator(huge)
