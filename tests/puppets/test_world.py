"""Characters, motions, pairs and renderings by themselves."""

from itertools import pairwise

import numpy as np
import pytest

from diptych.puppets import characters, motions
from diptych.puppets.backgrounds import KINDS as BACKGROUNDS
from diptych.puppets.characters import PATTERNS, draw_character
from diptych.puppets.motions import draw_motion
from diptych.puppets.pairs import CATEGORIES, CATEGORY_WEIGHTS, draw_pair
from diptych.puppets.rigs import ANGLES, JOINTS, RIGS
from diptych.puppets.scenes import ASPECTS
from diptych.puppets.sheet import contact_sheet, panel_size, render_pairs


@pytest.mark.parametrize("kind", characters.KINDS)
def test_everybody_is_a_pure_function_of_the_seed_and_can_be_described(kind: str) -> None:
    first, again = (draw_character(np.random.default_rng(3), kind) for _ in range(2))
    assert first == again
    assert hash(first) == hash(again)
    assert first != draw_character(np.random.default_rng(4), kind)
    looks = first.looks()
    assert looks.split()[0] in ("a", "an")
    assert first.palette.primary.name in looks
    assert first.rig in RIGS


def test_descriptions_use_the_right_article() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        words = draw_character(rng).looks().replace(",", "").split()
        for article, word in pairwise(words):
            if article in ("a", "an"):
                assert (article == "an") == (word[0] in "aeiou"), f"{article} {word}"


def test_people_vary() -> None:
    rng = np.random.default_rng(0)
    people = [draw_character(rng, kind) for kind in ("child", "adult", "elderly") for _ in range(60)]
    assert {p.pattern for p in people} == set(PATTERNS)
    assert {p.parts.lower for p in people} == {"trousers", "shorts", "skirt", "dress"}
    assert len({p.parts.hair for p in people}) == 7
    assert len({p.parts.hat for p in people}) == 5
    assert {bool(p.outline) for p in people} == {p.shaded for p in people} == {True, False}
    assert any(p.props for p in people)
    assert any(p.parts.glasses for p in people)
    heights = {kind: np.mean([p.height for p in people if p.kind == kind]) for kind in ("child", "adult", "elderly")}
    assert heights["child"] < heights["elderly"] < heights["adult"]


EVERY_MOTION = [(rig, kind) for rig in RIGS for kind in motions.KINDS[rig]]


@pytest.mark.parametrize(("rig", "kind"), EVERY_MOTION)
def test_a_motion_is_a_pure_function_of_time_that_can_be_seen(rig: str, kind: str) -> None:
    for seed in range(3):
        motion = draw_motion(np.random.default_rng(seed), rig, kind)
        t = np.linspace(2.0, 3.0, 13)
        angles, expression, root = motion.angles(t), motion.expression(t), motion.root(t)
        assert set(angles) == set(ANGLES[rig])
        for name, values in (motion.channels(t)).items():
            assert values.shape == (13,)
            assert np.isfinite(values).all()
            np.testing.assert_allclose(motion.channels(t[5:6]).get(name), values[5:6], atol=1e-12)
        span = max(np.ptp(v) for v in (*angles.values(), *expression.values(), *root.values()))
        assert span > 0.15, "a second of it shows nothing"
        steps = max(np.abs(np.diff(v)).max() for v in angles.values())
        assert steps < 2.2, "too fast to be followed at 12 frames a second"
        assert motion.text()[0].islower()


@pytest.mark.parametrize(("rig", "kind"), EVERY_MOTION)
def test_motions_stay_in_place_for_ever_unless_a_camera_tracks(rig: str, kind: str) -> None:
    for travel in ("spot", "around"):
        motion = draw_motion(np.random.default_rng(1), rig, kind, travel=travel)
        root = motion.root(np.linspace(0.0, 60.0, 721))
        assert np.ptp(root["travel_x"]) < 1.2
        assert np.ptp(root["travel_y"]) < 1.0
    if kind in motions.GOING_KINDS[rig]:
        along = draw_motion(np.random.default_rng(1), rig, kind, travel="along")
        assert np.ptp(along.root(np.linspace(0.0, 10.0, 121))["travel_x"]) > 1.0


def test_every_family_of_motion_exists() -> None:
    assert {motions.family(rig, kind) for rig, kind in EVERY_MOTION} == set(motions.FAMILIES)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_pair_is_a_pure_function_of_its_seed(category: str) -> None:
    first, again = draw_pair(11, category=category), draw_pair(11, category=category)
    assert first == again
    times = first.start + np.arange(3) / 12
    for a, b in zip(
        (first.truth(times, 48, 64), first.driving(times, 64, 36)),
        (again.truth(times, 48, 64), again.driving(times, 64, 36)),
        strict=True,
    ):
        np.testing.assert_array_equal(a.frames, b.frames)
    assert first != draw_pair(12, category=category)
    assert first != draw_pair(11, category=category, split="eval")
    assert first.category == category


def test_naming_the_category_that_is_drawn_changes_nothing() -> None:
    for seed in range(20):
        pair = draw_pair(seed)
        assert draw_pair(seed, category=pair.category) == pair


def test_the_training_mix_is_mostly_one_character_before_a_still_camera() -> None:
    assert sum(CATEGORY_WEIGHTS.values()) == pytest.approx(1.0)
    pairs = [draw_pair(seed) for seed in range(300)]
    calm = [p for p in pairs if p.reference_scene.camera.kind == "static" and len(p.reference_scene.actors) == 1]
    assert 0.72 < len(calm) / len(pairs) < 0.92
    square = [p for p in pairs if p.reference_aspect == 1.0]
    assert 0.38 < len(square) / len(pairs) < 0.62
    assert {p.reference_aspect for p in pairs} == {a for a, _ in ASPECTS} == {p.driving_aspect for p in pairs}
    assert {p.reference_scene.background.kind for p in pairs} == set(BACKGROUNDS)
    assert {p.category for p in pairs} == set(CATEGORIES)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no such category"):
        draw_pair(0, category="ghosts")
    with pytest.raises(ValueError, match="no motion"):
        draw_motion(np.random.default_rng(0), "fish", "march")
    with pytest.raises(ValueError, match="no such kind"):
        draw_character(np.random.default_rng(0), "ghost")


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_moment_looks_the_same_in_every_clip(category: str) -> None:
    for seed in range(3):
        pair = draw_pair(seed, category=category)
        times = pair.start + np.arange(12) / 12
        whole = pair.truth(times, 64, 64)
        alone = pair.truth(times[7:8], 64, 64)
        np.testing.assert_array_equal(whole.frames[7], alone.frames[0])
        np.testing.assert_array_equal(whole.mask[7], alone.mask[0])


@pytest.mark.parametrize(("width", "height"), [(64, 64), (86, 48), (48, 86), (31, 57), (256, 192)])
def test_any_size_can_be_rendered_and_joints_scale_with_it(width: int, height: int) -> None:
    pair = draw_pair(2, category="many_to_many")
    times = pair.start + np.arange(2) / 12
    small, large = pair.truth(times, width, height), pair.truth(times, 2 * width, 2 * height)
    assert small.frames.shape == (2, height, width, 3)
    assert small.frames.dtype == small.mask.dtype == np.uint8
    assert small.mask.shape == (2, height, width)
    np.testing.assert_allclose(2 * small.skeleton.joints[..., :2], large.skeleton.joints[..., :2], rtol=1e-4, atol=1e-2)


def _inside(joints: np.ndarray, side: int) -> np.ndarray:
    at = joints[..., :2]
    return (joints[..., 2] == 1) & (at > 1).all(-1) & (at < side - 2).all(-1)


@pytest.mark.parametrize("category", CATEGORIES)
def test_joints_lie_on_the_mask(category: str) -> None:
    on, total = 0, 0
    for seed in range(4):
        pair = draw_pair(seed, category=category)
        rendered = pair.truth(pair.start + np.arange(6) / 6, 128, 128)
        joints = rendered.skeleton.joints
        seen = _inside(joints, 128)
        for t, figure, j in zip(*np.nonzero(seen), strict=True):
            x, y = joints[t, figure, j, :2].astype(int)
            on += int(rendered.mask[t, y - 1 : y + 2, x - 1 : x + 2].max() > 0)
            total += 1
    assert total > 100
    assert on / total > 0.97


@pytest.mark.parametrize("category", CATEGORIES)
def test_figures_are_in_the_picture_and_large_enough(category: str) -> None:
    for seed in range(8):
        pair = draw_pair(seed, category=category)
        times = pair.start + np.arange(0.0, 4.0, 0.25)
        size, drive_size = panel_size(pair.reference_aspect), panel_size(pair.driving_aspect)
        for rendered, (w, h) in ((pair.truth(times, *size), size), (pair.driving(times, *drive_size), drive_size)):
            covered = (rendered.mask > 127).mean((1, 2))
            assert covered.min() > 0.02
            assert 0.04 < covered.mean() < 0.75
            heads = rendered.skeleton.joints[:, :, JOINTS.index("head"), :2]
            inside = ((heads > 0) & (heads < np.array([w, h]))).all(-1)
            assert inside.mean() > 0.9


def test_motion_shows_in_the_pixels() -> None:
    for seed in range(30):
        pair = draw_pair(seed)
        frames = pair.truth(pair.start + np.arange(12) / 12, 64, 64).frames.astype(int)
        assert np.abs(frames - frames[0]).max((1, 2, 3)).max() > 60


def test_absent_joints_have_no_confidence() -> None:
    fish = draw_pair(0, category="fish").reference(64, 64).skeleton
    known = {JOINTS[j] for j in np.nonzero(fish.joints[0, 0, :, 2])[0]}
    assert known == {"head", "body_1", "body_2", "body_3", "body_4"}
    assert all(0 <= a < len(JOINTS) and 0 <= b < len(JOINTS) for a, b in fish.bones)


def test_panels_keep_area_and_shape_in_even_numbers() -> None:
    for aspect, _ in ASPECTS:
        width, height = panel_size(aspect)
        assert width % 2 == height % 2 == 0
        assert abs(width / height / aspect - 1) < 0.05
        assert abs(width * height / 64**2 - 1) < 0.06


def test_contact_sheets_show_all_rows() -> None:
    sheet = contact_sheet([0, draw_pair(1)], frames=3, enlarge=3)
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] % 3 == sheet.shape[1] % 3 == 0
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 100


def test_render_pairs_yields_what_the_pairs_render() -> None:
    times = np.arange(3) / 12
    for seed, (pair, reference, driving, truth) in zip((4, 5), render_pairs((4, 5), times), strict=True):
        assert pair == draw_pair(seed)
        assert len(reference.frames) == 1
        assert len(driving.frames) == len(truth.frames) == 3
        np.testing.assert_array_equal(
            truth.frames, pair.truth(pair.start + times, *panel_size(pair.reference_aspect)).frames
        )
