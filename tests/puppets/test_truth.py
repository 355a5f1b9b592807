"""Every clause of docs/truth.md, measured on what is drawn rather than on how it is computed."""

import itertools

import numpy as np
import pytest

from diptych.puppets import characters, motions
from diptych.puppets.pairs import CATEGORIES, Pair, draw_pair, pose_gap, with_kin
from diptych.puppets.rigs import EXPRESSIONS, JOINTS, SKELETON

TWELVE = np.arange(12) / 12


def _times(pair: Pair) -> np.ndarray:
    return pair.start + TWELVE


def _joint(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[..., JOINTS.index(name), :2].astype(np.float64)


def _directions(joints: np.ndarray, bones: list[tuple[str, str]]) -> np.ndarray:
    """Unit vectors of limbs, (t, bones, 2)."""
    limbs = np.stack([_joint(joints, b) - _joint(joints, a) for a, b in bones], -2)
    return limbs / np.linalg.norm(limbs, axis=-1, keepdims=True)


LIMBS = [
    (f"{a}_{s}", f"{b}_{s}")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
    for s in "rl"
]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "category", ["person_full", "child_elderly", "cartoon", "cross_kind", "object", "bird", "quadruped", "tracking"]
)
def test_limbs_point_where_the_drivers_limbs_point(category: str, seed: int) -> None:
    pair = draw_pair(seed, category=category)
    limbs = list(SKELETON["fish"]) if pair.rig == "fish" else LIMBS
    truth = pair.truth(_times(pair), 64, 64).skeleton.joints[:, 0]
    driver = pair.driving(_times(pair), 96, 64).skeleton.joints[:, 0]
    np.testing.assert_allclose(_directions(truth, limbs), _directions(driver, limbs), atol=2e-3)


@pytest.mark.parametrize(("category", "rig"), [("fish", "fish"), ("snake", "snake")])
def test_bodies_bend_as_the_drivers_bend(category: str, rig: str) -> None:
    for seed in range(6):
        pair = draw_pair(seed, category=category)
        truth = pair.truth(_times(pair), 64, 64).skeleton.joints[:, 0]
        driver = pair.driving(_times(pair), 64, 64).skeleton.joints[:, 0]
        bones = list(SKELETON[rig])
        np.testing.assert_allclose(_directions(truth, bones), _directions(driver, bones), atol=2e-3)


@pytest.mark.parametrize("category", ["person_full", "object", "bird", "cross_kind", "fish", "snake"])
def test_root_travel_scales_with_height_and_starts_at_the_references_place(category: str) -> None:
    moved = 0
    for seed in range(12):
        pair = draw_pair(seed, category=category)
        root = {"fish": "body_2", "snake": "body_4"}.get(pair.rig, "pelvis")
        gone = {}
        for name, scene, rendered in (
            ("truth", pair.reference_scene, pair.truth(_times(pair), 128, 128)),
            ("driver", pair.driving_scene, pair.driving(_times(pair), 96, 64)),
        ):
            size = (128, 128) if name == "truth" else (96, 64)
            scale = scene.camera.view(*size)[0] * scene.actors[0].character.height
            x = _joint(rendered.skeleton.joints[:, 0], root)[:, 0]
            gone[name] = (x - x[0]) / scale
            if name == "truth":
                at = _joint(pair.reference(128, 128).skeleton.joints[:, 0], root)[0, 0]
                assert abs(x[0] - at) < 1e-3
        np.testing.assert_allclose(gone["truth"], gone["driver"], atol=1e-4)
        moved += np.ptp(gone["truth"]) > 0.05
    assert moved, "none of these pairs travelled, so nothing was tested"


def test_feet_stay_on_the_ground_whatever_the_build() -> None:
    for seed in range(30):
        pair = draw_pair(seed, category="person_full")
        motion = pair.driving_scene.actors[0].motion
        if motion.kind in ("cartwheel", "push_up"):
            continue
        times = _times(pair)
        joints = pair.truth(times, 64, 64).skeleton.joints[:, 0]
        scale, _, top = pair.reference_scene.camera.view(64, 64)
        height = pair.reference_scene.actors[0].character.height
        ankles = np.maximum(_joint(joints, "ankle_r")[:, 1], _joint(joints, "ankle_l")[:, 1]) / scale + top
        lowest = ankles / height + motion.root(times)["lift"]
        assert (lowest <= 1e-4).all(), f"{motion.kind} sinks"
        assert (lowest > -0.16).all(), f"{motion.kind} floats"


@pytest.mark.parametrize("category", ["person_half", "face", "fish", "snake"])
def test_camera_and_background_are_the_references(category: str) -> None:
    for seed in range(6):
        pair = draw_pair(seed, category=category)
        reference, truth = pair.reference(64, 64), pair.truth(_times(pair), 64, 64)
        behind = (truth.mask == 0) & (reference.mask == 0)
        assert behind.mean() > 0.1
        same = (truth.frames == reference.frames).all(-1)
        assert same[behind].all()


def test_a_static_background_differs_only_by_shadows_where_feet_are_seen() -> None:
    for seed in range(6):
        pair = draw_pair(seed, category="person_full")
        reference, truth = pair.reference(64, 64), pair.truth(_times(pair), 64, 64)
        behind = (truth.mask == 0) & (reference.mask == 0)
        same = (truth.frames == reference.frames).all(-1)
        assert same[behind].mean() > 0.95


def test_a_tracking_camera_keeps_the_target_and_moves_the_background() -> None:
    seen = 0
    for seed in range(12):
        pair = draw_pair(seed, category="tracking")
        if pair.reference_scene.camera.kind != "tracking":
            continue
        seen += 1
        truth = pair.truth(_times(pair), 64, 64)
        root = "body_2" if pair.rig == "fish" else "pelvis"
        x = _joint(truth.skeleton.joints[:, 0], root)[:, 0]
        assert np.ptp(x) < 15 if pair.rig == "quadruped" else np.ptp(x) < 1.0
        behind = (truth.mask == 0).all(0)
        assert (truth.frames[0] != truth.frames[-1]).any(-1)[behind].mean() > 0.02
        assert pair.caption.endswith("the camera follows.")
    assert seen >= 4


@pytest.mark.parametrize("category", ["one_to_many", "many_to_many", "crossing"])
def test_drivers_are_matched_from_left_to_right(category: str) -> None:
    counts = set()
    for seed in range(12):
        pair = draw_pair(seed, category=category)
        drivers, targets = len(pair.driving_scene.actors), len(pair.reference_scene.actors)
        counts.add((drivers, targets))
        truth = pair.truth(_times(pair), 96, 64).skeleton.joints
        driving = pair.driving(_times(pair), 96, 64).skeleton.joints
        assert truth.shape[1] == targets
        root = "body_2" if pair.rig == "fish" else "neck"
        for scene in (truth[:1], driving[:1], pair.reference(96, 64).skeleton.joints):
            x = _joint(scene, root)[0, :, 0]
            assert (np.diff(x) > 0).all() or pair.rig == "quadruped"
        if pair.rig == "fish":
            continue
        for i in range(targets):
            mine, theirs = _directions(truth[:, i], LIMBS), _directions(driving[:, i % drivers], LIMBS)
            np.testing.assert_allclose(mine, theirs, atol=2e-3)
    if category == "many_to_many":
        assert any(d > t for d, t in counts), "no surplus was dropped"
        assert any(d < t for d, t in counts), "no driver moved two"
    if category == "one_to_many":
        assert {d for d, _ in counts} == {1}


def test_crossing_characters_change_places() -> None:
    for seed in range(6):
        pair = draw_pair(seed, category="crossing")
        times = np.arange(0, 30) / 12
        for rendered in (pair.truth(times, 96, 64), pair.driving(times, 96, 64)):
            gap = np.diff(_joint(rendered.skeleton.joints, "pelvis")[..., 0], axis=1)[:, 0]
            assert gap[0] > 0
            assert gap.min() < 0


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_lead_in_starts_as_the_reference_and_eases_into_the_truth(category: str) -> None:
    pair = draw_pair(5, category=category)
    start_time = pair.start + 0.25
    lead = pair.lead_in(9, start_time, 64, 64)
    reference = pair.reference(64, 64)
    np.testing.assert_array_equal(lead.frames[0], reference.frames[0])
    np.testing.assert_array_equal(lead.mask[0], reference.mask[0])
    assert len(lead.frames) == 9
    for first, last, way in zip(
        pair.reference_poses(), pair.truth_poses(np.array([start_time])), pair.lead_in_poses(9, start_time), strict=True
    ):
        for name, values in way.items():
            a, b = (p.get(name, np.zeros(1))[0] for p in (first, last))
            whole = abs(values[-1] - values[0]) / (1 - (1 / 9) ** 2 * (3 - 2 / 9))
            if name == "pelvis":
                assert whole <= np.pi + 1e-6, "whole turns are taken the short way"
            else:
                assert abs(values[-1] - b) <= 0.04 * abs(b - a) + 1e-9
            steps = np.abs(np.diff(values))
            if whole > 1e-6:
                assert steps[0] < 0.5 * whole / 9, "it does not start at rest"
                assert steps.max() < 2 * whole / 9, "it jumps"


def test_expressions_are_the_drivers() -> None:
    for seed in range(8):
        pair = draw_pair(seed, category="face")
        times = _times(pair)
        want = pair.driving_scene.actors[0].motion.expression(times)
        pose = pair.truth_poses(times)[0]
        for name in EXPRESSIONS:
            np.testing.assert_array_equal(pose.get(name, np.zeros(len(times))), want[name])
        moved = np.abs(np.diff(pair.truth(times, 64, 64).frames.astype(int), axis=0)).mean((1, 2, 3))
        assert moved.max() > 0.3, "nothing is to be seen of it"


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_reference_is_a_frame_of_its_truth(category: str) -> None:
    for seed in range(4):
        pair = draw_pair(seed, category=category)
        times = pair.start + np.arange(72) / 12
        reference, truth = pair.reference(64, 64), pair.truth(times, 64, 64)
        off = np.abs(truth.frames.astype(int) - reference.frames).max((1, 2, 3))
        assert off.min() > 20
        for still, performed in zip(pair.reference_poses(), pair.truth_poses(times), strict=True):
            assert pose_gap(still, performed) > 0.2


def test_drivers_look_different_from_targets() -> None:
    for seed in range(40):
        pair = draw_pair(seed)
        targets = {a.character.palette.primary.name for a in pair.reference_scene.actors}
        drivers = [a.character.palette.primary.name for a in pair.driving_scene.actors]
        assert not targets & set(drivers)


def test_a_driver_shows_at_least_what_the_reference_shows() -> None:
    order = ("face", "half", "full")
    for seed, category in itertools.product(range(6), CATEGORIES):
        pair = draw_pair(seed, category=category)
        seen, shown = pair.reference_scene.camera.framing, pair.driving_scene.camera.framing
        assert order.index(shown) >= order.index(seen)


def _identities(split: str, seeds: range) -> set[tuple[str, str, str]]:
    pairs = [draw_pair(seed, split=split) for seed in seeds]
    actors = [a.character for p in pairs for s in (p.reference_scene, p.driving_scene) for a in s.actors]
    return {(c.palette.primary.name, c.palette.secondary.name, c.pattern) for c in actors}


def test_the_splits_share_no_identity_and_no_motion() -> None:
    train, held = _identities("train", range(150)), _identities("eval", range(150))
    assert len(train) > 150
    assert len(held) > 40
    assert not train & held
    rng = np.random.default_rng(0)
    cells = {
        split: {
            (int(m.tempo * 5), int(m.size * 5))
            for m in (motions.draw_motion(rng, "biped", split=split) for _ in range(400))
        }
        for split in ("train", "eval")
    }
    assert len(cells["eval"]) == 5
    assert len(cells["train"]) == 20
    assert not cells["eval"] & cells["train"]


@pytest.mark.parametrize(
    "call", [characters.draw_character, lambda rng, split: motions.draw_motion(rng, "bird", split=split)]
)
def test_an_unknown_split_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match="split must be train or eval"):
        call(np.random.default_rng(0), split="test")  # type: ignore[operator]


@pytest.mark.parametrize("category", CATEGORIES)
def test_kin_stand_where_the_answer_stands_and_look_different(category: str) -> None:
    pair = draw_pair(3, category=category)
    kin = with_kin(pair, 5)
    truth, driving = pair.truth(_times(pair), 96, 96), kin.driving(_times(pair), 96, 96)
    assert np.allclose(truth.skeleton.joints, driving.skeleton.joints, atol=1e-3)
    assert np.abs(truth.frames.astype(int) - driving.frames).mean() > 10
    assert np.array_equal(kin.truth(_times(pair), 96, 96).frames, truth.frames)
    assert np.array_equal(driving.frames, with_kin(pair, 5).driving(_times(pair), 96, 96).frames)
