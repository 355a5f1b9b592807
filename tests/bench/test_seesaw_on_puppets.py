"""The calibration of identity and motion error on puppets: each sees its own side and passes over the other.

One training pair of every category; benchmarks/measures_calibration.py does the same with many and prints the figures.
"""

import numpy as np
import pytest

from diptych.bench.controls import (
    donor_for,
    in_other_motion,
    with_other_colours,
    with_other_looks,
    with_sides_swapped,
)
from diptych.bench.seesaw import identity_error, motion_error
from diptych.puppets.pairs import CATEGORIES, draw_pair
from diptych.puppets.sheet import panel_size

SECONDS = np.arange(18) / 12


@pytest.fixture(scope="module")
def errors():
    """(identity, motion) error of every control, ``(categories, 2)``."""
    found: dict[str, list[list[float]]] = {}
    for category in CATEGORIES:
        pair = draw_pair(31, category=category)
        donor, size = donor_for(pair), panel_size(pair.reference_aspect)
        truth = pair.truth(pair.start + SECONDS, *size)
        controls = {
            "pose": in_other_motion(pair, donor),
            "looks": with_other_looks(pair, donor),
            "colours": with_other_colours(pair, donor),
            "side": with_sides_swapped(pair),
            "both": with_other_looks(in_other_motion(pair, donor), donor),
        }
        clips = {name: control.truth(control.start + SECONDS, *size).frames for name, control in controls.items()}
        clips["still"] = np.repeat(pair.reference(*size).frames, len(SECONDS), axis=0)
        for name, clip in clips.items():
            values = [error(clip, truth.frames, truth.mask) for error in (identity_error, motion_error)]
            found.setdefault(name, []).append(values)
    return {name: np.array(values) for name, values in found.items()}


def test_identity_error_is_flat_over_pose_and_high_for_another_character(errors):
    pose, looks = errors["pose"][:, 0], errors["looks"][:, 0]
    assert np.mean(pose < looks) >= 0.9
    assert np.median(pose) < 0.2
    assert np.median(looks) == pytest.approx(1, abs=0.4)


def test_motion_error_is_low_for_another_character_and_high_for_another_motion(errors):
    pose, looks = errors["pose"][:, 1], errors["looks"][:, 1]
    assert np.mean(looks < pose) >= 0.9
    assert np.median(pose) == pytest.approx(1, abs=0.15)
    assert np.median(looks) < 0.45


def test_motion_error_hardly_sees_colours(errors):
    assert np.mean(errors["colours"][:, 1] < errors["pose"][:, 1]) == 1
    assert np.median(errors["colours"][:, 1]) < 0.3


def test_motion_error_sees_the_wrong_hand(errors):
    """Half of it is blind to sides, so about half of another motion's error is what can be asked."""
    assert np.median(errors["side"][:, 1]) > 0.4
    assert np.median(errors["side"][:, 0]) < 0.1


def test_the_still_reference_has_the_looks_and_none_of_the_motion(errors):
    assert np.median(errors["still"][:, 0]) < 0.2
    assert errors["still"][:, 1] == pytest.approx(1, abs=0.05)


def test_wrong_in_both_ways_is_as_wrong_as_each(errors):
    assert np.median(errors["both"][:, 0]) == pytest.approx(np.median(errors["looks"][:, 0]), rel=0.3)
    assert np.median(errors["both"][:, 1]) == pytest.approx(np.median(errors["pose"][:, 1]), rel=0.15)
