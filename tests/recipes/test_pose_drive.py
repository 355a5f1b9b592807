from __future__ import annotations

import numpy as np
import pytest

from diptych.data.poses import ClipPoses
from diptych.media.draw import draw_skeletons
from diptych.media.frame import panel_for
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.puppets.scenes import stand_of
from diptych.recipes.pose_drive import placed
from diptych.types import Skeleton

SIZE = 96


@pytest.fixture(scope="module")
def scene():
    """A pair, and the poses of its driver over 40 frames."""
    pair = draw_pair(11, category="person_full")
    shown = pair.driving(pair.start + np.arange(40) / 12, SIZE, SIZE)
    rigs = [actor.character.rig for actor in pair.driving_scene.actors]
    return pair, ClipPoses(pose_of(shown.skeleton, rigs), SIZE, SIZE, "puppets")


def extent(frames):
    rows, columns = np.nonzero(np.stack(frames).max((0, 3)) > 40)
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_raw_skeletons_of_the_references_own_size_are_drawn_where_they_are(scene):
    _, poses = scene
    panel = panel_for(SIZE, SIZE, SIZE * SIZE)
    made = np.stack(list(placed(poses, panel, "raw").frames(panel)))
    assert np.array_equal(made, draw_skeletons(poses.figures, SIZE, SIZE))


def test_a_driver_of_another_shape_lies_in_the_references_place(scene):
    _, poses = scene
    panel = panel_for(300, 150, 64 * 128)
    shown = placed(poses, panel, "raw").shown
    assert shown.scale == pytest.approx(panel.height / SIZE, abs=0.02)
    assert shown.left == panel.x + (panel.width - round(SIZE * shown.scale)) // 2
    assert shown.top == panel.y


def test_a_box_fills_the_panel_wherever_the_figure_stood(scene):
    _, poses = scene
    panel = panel_for(SIZE, SIZE, 64 * 64)
    moved = tuple(
        Skeleton(
            one.names,
            np.where(one.joints[..., 2:] > 0, one.joints * (0.4, 0.4, 1) + (31, 9, 0), 0).astype("f4"),
            one.bones,
        )
        for one in poses.figures
    )
    here = extent(list(placed(poses, panel, "box").frames(panel)))
    there = extent(list(placed(ClipPoses(moved, SIZE, SIZE), panel, "box").frames(panel)))
    assert np.abs(np.subtract(here, there)).max() <= 1
    assert max(here[2] - here[0], here[3] - here[1]) > 0.85 * 64


def test_by_the_reference_the_figure_is_as_large_as_the_pictures_and_stands_there(scene):
    pair, poses = scene
    panel = panel_for(SIZE, SIZE, 64 * 64)
    theirs = stand_of(pair.reference_scene, panel.width, panel.height)
    asked = placed(poses, panel, "reference", lambda: theirs)
    mine = stand_of(pair.driving_scene, SIZE, SIZE)
    assert asked.shown.scale * mine.height == pytest.approx(theirs.height, rel=0.15)
    assert asked.shown.scale * mine.x + asked.shown.left == pytest.approx(panel.x + theirs.x, abs=3)
    # Nobody to say where the reference stands: as they are.
    assert placed(poses, panel, "reference", lambda: None).shown == placed(poses, panel, "raw").shown
