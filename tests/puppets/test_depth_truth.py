"""Puppets' depth is exact: background, figures and who is in front, and asking for it changes no pixel."""

from dataclasses import replace

import numpy as np
import pytest

from diptych.puppets.footage import draw_footage
from diptych.puppets.pairs import draw_pair
from diptych.puppets.scenes import perform, stage

WIDTH, HEIGHT = 96, 72


def shown(seed, category, count=16, rate=4):
    pair = draw_pair(seed, category=category)
    return pair, pair.start + np.arange(count) / rate


@pytest.mark.parametrize(("seed", "category"), [(3, "crossing"), (2, "person_full"), (1, "many_to_many"), (0, "snake")])
def test_asking_for_depth_changes_no_pixel_and_only_figures_are_near(seed, category):
    pair, times = shown(seed, category)
    plain, deep = pair.driving(times, WIDTH, HEIGHT), pair.driving(times, WIDTH, HEIGHT, depth=True)
    assert plain.nearness is None
    assert np.array_equal(plain.frames, deep.frames)
    assert np.array_equal(plain.mask, deep.mask)
    assert (deep.nearness[deep.mask == 0] == 0).all()
    assert (deep.nearness[deep.mask == 255] > 40).all()


@pytest.mark.parametrize("seed", range(8))
def test_whoever_is_drawn_in_front_is_nearer(seed):
    """Each of two who cross is drawn alone; where both are, the whole picture shows the one who is nearer."""
    pair, times = shown(seed, "crossing")
    scene = pair.driving_scene
    whole = pair.driving(times, WIDTH, HEIGHT, depth=True)
    alone = [
        replace(pair, driving_scene=replace(scene, actors=(actor,))).driving(times, WIDTH, HEIGHT)
        for actor in scene.actors
    ]
    both = (alone[0].mask == 255) & (alone[1].mask == 255)
    depths = np.stack([stage(a, perform(a.motion, times, pair.start)).pose["depth"] for a in scene.actors])
    nearer = np.broadcast_to((depths[1] > depths[0])[:, None, None], both.shape)
    seen = np.where(nearer[..., None], alone[1].frames, alone[0].frames)
    agree = (whole.frames[both] == seen[both]).all(-1)
    assert agree.mean() > 0.95 if both.any() else True
    # All of the nearer one is nearer than all of the other, at every moment in which neither hides any of the other.
    for t in np.flatnonzero(~both.any((1, 2)) & (np.abs(depths[0] - depths[1]) > 1e-6)):
        by_depth = alone if depths[1, t] > depths[0, t] else alone[::-1]
        far, near = (whole.nearness[t][one.mask[t] == 255] for one in by_depth)
        assert far.max() < near.min()


def test_some_cross():
    crossing = 0
    for seed in range(8):
        pair, times = shown(seed, "crossing")
        scene = pair.driving_scene
        a, b = (
            replace(pair, driving_scene=replace(scene, actors=(actor,))).driving(times, WIDTH, HEIGHT).mask == 255
            for actor in scene.actors
        )
        crossing += bool((a & b).any())
    assert crossing >= 5


def test_an_arm_before_the_trunk_is_nearer_than_the_trunk_and_one_behind_is_not_seen():
    for seed in range(4):
        pair, times = shown(seed, "person_full", count=6)
        nearness = pair.driving(times, WIDTH, HEIGHT, depth=True).nearness
        levels = np.unique(nearness[nearness > 0])
        assert len(levels) >= 4


def test_other_bodies_do_the_same_in_the_same_places():
    for seed in range(6):
        footage = draw_footage(seed)
        others = footage.with_other_bodies(np.random.default_rng(0))
        assert others.scene.camera == footage.scene.camera
        for mine, theirs in zip(footage.scene.actors, others.scene.actors, strict=True):
            assert (theirs.character.height, theirs.character.rig) == (mine.character.height, mine.character.rig)
            assert (theirs.x, theirs.y, theirs.motion) == (mine.x, mine.y, mine.motion)
            assert theirs.character.build != mine.character.build
