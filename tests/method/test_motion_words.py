"""Motion in words: what a stick figure does is what is said, wherever it stands and however large."""

from __future__ import annotations

import numpy as np
import pytest

from diptych.method.motion_words import describe_motion
from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.types import Skeleton

FPS = 24
TAU = 2 * np.pi

# x right, y down, trunk of length 1 with its hips at (0, 0); facing the viewer, so the figure's left is at the right.
REST = {
    "nose": (0.0, -1.45), "left_eye": (0.06, -1.5), "right_eye": (-0.06, -1.5), "left_ear": (0.14, -1.47),
    "right_ear": (-0.14, -1.47), "left_shoulder": (0.35, -1.0), "right_shoulder": (-0.35, -1.0),
    "left_elbow": (0.45, -0.5), "right_elbow": (-0.45, -0.5), "left_wrist": (0.48, 0.0), "right_wrist": (-0.48, 0.0),
    "left_hip": (0.2, 0.0), "right_hip": (-0.2, 0.0), "left_knee": (0.2, 0.75), "right_knee": (-0.2, 0.75),
    "left_ankle": (0.2, 1.5), "right_ankle": (-0.2, 1.5),
}  # fmt: skip
ANIMAL = {
    "left_eye": (-1.45, -1.3), "right_eye": (-1.44, -1.31), "nose": (-1.6, -1.2), "neck": (-1.0, -1.0),
    "root_of_tail": (0.0, -1.0), "left_shoulder": (-0.9, -0.8), "left_elbow": (-0.9, -0.4),
    "left_front_paw": (-0.9, 0.0), "right_shoulder": (-0.9, -0.8), "right_elbow": (-0.9, -0.4),
    "right_front_paw": (-0.9, 0.0), "left_hip": (-0.1, -0.8), "left_knee": (-0.1, -0.4), "left_back_paw": (-0.1, 0.0),
    "right_hip": (-0.1, -0.8), "right_knee": (-0.1, -0.4), "right_back_paw": (-0.1, 0.0),
}  # fmt: skip


def times(seconds: float = 3.0, fps: float = FPS) -> np.ndarray:
    return np.arange(round(seconds * fps)) / fps


def figure(t, topology=WHOLEBODY, rest=REST, *, unit=80.0, at=(200.0, 200.0), **moves) -> Skeleton:
    """A stick figure; ``moves`` are joints' own (x, y) over time in trunk lengths, ``root`` moves all of it."""
    joints = np.zeros((len(t), 1, len(topology.joints), 3), np.float32)
    root = np.stack(np.broadcast_arrays(*moves.pop("root", (0.0, 0.0)), t)[:2], axis=-1)
    for name, place in rest.items():
        x, y, _ = np.broadcast_arrays(*moves.get(name, place), t)
        joints[:, 0, topology.joints.index(name), :2] = (np.stack([x, y], axis=-1) + root) * unit + at
        joints[:, 0, topology.joints.index(name), 2] = 1
    return topology.skeleton(joints)


def said(skeleton: Skeleton, fps: float = FPS) -> str:
    return describe_motion((skeleton,), fps)


def waving(t, side="right", hertz=1.2, **more) -> Skeleton:
    sign = -1 if side == "right" else 1
    swing = 0.35 * np.sin(TAU * hertz * t)
    return figure(t, **{f"{side}_elbow": (sign * 0.8, -1.1), f"{side}_wrist": (sign * 0.9 + swing, -1.7)}, **more)


def walking(t, direction=1, hertz=0.9, speed=1.2, **more) -> Skeleton:
    phase = TAU * hertz * t
    feet = {
        "left_ankle": (0.6 * np.sin(phase), 1.5 - 0.15 * np.maximum(np.cos(phase), 0)),
        "right_ankle": (-0.6 * np.sin(phase), 1.5 - 0.15 * np.maximum(-np.cos(phase), 0)),
    }
    return figure(t, root=(direction * speed * t, 0.0), **feet, **more)


def turned_round(skeleton: Skeleton) -> Skeleton:
    """The mirror image: left is right, for limbs and for directions."""
    joints = skeleton.joints.copy()
    joints[..., 0] = 1000 - joints[..., 0]
    swapped = [
        skeleton.names.index(name.replace("left_", "?").replace("right_", "left_").replace("?", "right_"))
        for name in skeleton.names
    ]
    return Skeleton(skeleton.names, joints[:, :, swapped], skeleton.bones)


def mirrored(text: str) -> str:
    return text.replace("left", "?").replace("right", "left").replace("?", "right")


# --- what is done is what is said -----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_arm_that_waves_is_the_figures_own(side):
    assert said(waving(times(), side)) == f"The figure waves the {side} hand."


@pytest.mark.parametrize(("hertz", "pace"), [(0.4, " slowly"), (1.0, ""), (2.2, " quickly")])
def test_fast_is_told_from_slow(hertz, pace):
    assert said(waving(times(6), hertz=hertz)) == f"The figure waves the right hand{pace}."


def test_both_hands():
    t = times()
    swing = 0.35 * np.sin(TAU * 1.2 * t)
    both = figure(t, left_wrist=(0.9 - swing, -1.7), right_wrist=(-0.9 + swing, -1.7))
    assert said(both) == "The figure waves both hands."


@pytest.mark.parametrize(("direction", "where"), [(1, "right"), (-1, "left")])
def test_a_walker_goes_where_he_goes(direction, where):
    assert said(walking(times(), direction)) == f"The figure walks to the {where}."
    assert said(walking(times(), 0)) == "The figure walks on the spot."


def test_one_who_does_nothing_stands_still():
    assert said(figure(times())) == "The figure stands still."
    rng = np.random.default_rng(0)
    still = figure(times())
    still.joints[..., :2] += rng.normal(0, 0.8, still.joints[..., :2].shape) * (still.joints[..., 2:] > 0)
    assert said(still) == "The figure stands still."


def test_arms_go_up_and_down():
    t = times(2)
    share = np.clip(t - 0.5, 0, 1)
    up = figure(t, right_wrist=(-0.5, -2.0 * share), right_elbow=(-0.5, -0.5 - share))
    assert said(up) == "The figure raises the right arm above the head."
    reversed_ = Skeleton(up.names, up.joints[::-1].copy(), up.bones)
    assert said(reversed_) == "The figure lowers the right arm."
    there_and_back = Skeleton(up.names, np.concatenate([up.joints, up.joints[::-1]]), up.bones)
    assert said(there_and_back) == "The figure raises the right arm above the head and lowers it again."
    assert said(figure(t, left_wrist=(0.6, -1.6))) == "The figure holds the left arm up."


@pytest.mark.parametrize(("count", "words"), [(1, "once"), (2, "twice"), (3, "three times")])
def test_jumps_and_squats_are_counted(count, words):
    t = times(count)
    up = np.maximum(np.sin(TAU * t - np.pi / 2), 0)
    assert said(figure(t, root=(0.0, -0.8 * up))) == f"The figure jumps {words}."
    t = times(2 * count)
    down = (1 - np.cos(TAU * t / 2)) / 2
    feet = {f"{side}_ankle": (x, 1.5 - 0.8 * down) for side, x in (("left", 0.2), ("right", -0.2))}
    knees = {f"{side}_knee": (2.5 * x, 0.75 - 0.5 * down) for side, x in (("left", 0.2), ("right", -0.2))}
    assert said(figure(t, root=(0.0, 0.8 * down), **feet, **knees)).startswith(f"The figure squats {words}")


def test_a_kick_is_one_legs_and_quick():
    t = times(2)
    kick = np.exp(-(((t - 1) / 0.12) ** 2))
    kicking = figure(t, left_ankle=(0.2 + kick, 1.5 - 1.2 * kick), left_knee=(0.2 + 0.4 * kick, 0.75 - 0.4 * kick))
    assert said(kicking) == "The figure kicks with the left leg once."


def test_heads_shake_nod_and_turn():
    t = times()
    shake = 0.1 * np.sin(TAU * 1.3 * t)
    assert said(figure(t, nose=(shake, -1.45))) == "The figure shakes the head."
    assert said(figure(t, nose=(0.0, -1.45 + shake))) == "The figure nods."
    assert said(figure(t, nose=(0.12 * np.clip(t - 1, 0, 1), -1.45))) == "The figure turns the head to the right."


def test_a_swaying_trunk():
    t = times(4)
    lean = np.radians(15) * np.sin(TAU * 0.6 * t)
    above = {}
    for name, (x, y) in REST.items():
        if y < 0 or "wrist" in name:
            above[name] = (x * np.cos(lean) - y * np.sin(lean), x * np.sin(lean) + y * np.cos(lean))
    assert said(figure(t, **above)).startswith("The figure sways from side to side")


def test_hands_that_clap():
    t = times()
    apart = 0.35 * (1 + np.cos(TAU * 1.2 * t))
    assert said(figure(t, left_wrist=(apart, -0.7), right_wrist=(-apart, -0.7))) == "The figure claps the hands."


def test_coming_nearer():
    t = times()
    near = figure(t)
    growth = np.linspace(1, 1.8, len(t), dtype=np.float32)[:, None, None]
    near.joints[:, :, :, :2] = (near.joints[:, :, :, :2] - 200) * growth[..., None] + 200
    near.joints[near.joints[..., 2] == 0] = 0
    assert "towards the camera" in said(near)


def test_four_legs():
    t = times(4)
    phase = TAU * 1.0 * t
    step = lambda shift: 0.25 * np.sin(phase + shift)  # noqa: E731
    walk = {
        "left_front_paw": (-0.9 + step(0), 0.0), "right_front_paw": (-0.9 + step(np.pi), 0.0),
        "left_back_paw": (-0.1 + step(np.pi / 2), 0.0), "right_back_paw": (-0.1 + step(3 * np.pi / 2), 0.0),
    }  # fmt: skip
    trot = {**walk, "left_back_paw": (-0.1 + step(np.pi), 0.0), "right_back_paw": (-0.1 + step(0), 0.0)}
    assert said(figure(t, QUADRUPED, ANIMAL, root=(-t, 0.0), **walk)) == "The figure walks to the left."
    assert said(figure(t, QUADRUPED, ANIMAL, root=(-t, 0.0), **trot)) == "The figure trots to the left."
    assert said(figure(t, QUADRUPED, ANIMAL)) == "The figure stands still."
    lifted = np.exp(-(((t - 2) / 0.3) ** 2))
    paw = figure(t, QUADRUPED, ANIMAL, right_front_paw=(-0.9 - 0.3 * lifted, -0.5 * lifted))
    assert said(paw) == "The figure lifts the right front leg."


# --- laws -----------------------------------------------------------------------------------------------------------

MOTIONS = {
    "wave": waving(times()), "walk": walking(times()), "still": figure(times()), "left": waving(times(), "left", 2.2),
    "jump": figure(times(2), root=(0.0, -0.8 * np.maximum(np.sin(TAU * times(2)), 0))),
    "nod": figure(times(), nose=(0.0, -1.45 + 0.1 * np.sin(TAU * 1.3 * times()))),
}  # fmt: skip


@pytest.mark.parametrize("skeleton", MOTIONS.values(), ids=MOTIONS.keys())
def test_place_and_size_change_nothing(skeleton):
    for scale, shift in ((1, (500, -300)), (0.25, (0, 0)), (7.3, (40, 11))):
        joints = skeleton.joints.copy()
        joints[..., :2] = (joints[..., :2] * scale + shift) * (joints[..., 2:] > 0)
        assert said(Skeleton(skeleton.names, joints, skeleton.bones)) == said(skeleton)


@pytest.mark.parametrize("skeleton", MOTIONS.values(), ids=MOTIONS.keys())
def test_a_mirror_swaps_left_and_right_and_nothing_else(skeleton):
    assert said(turned_round(skeleton)) == mirrored(said(skeleton))
    assert said(turned_round(turned_round(skeleton))) == said(skeleton)


def test_the_frame_rate_changes_nothing():
    for fps in (12, 25, 60):
        assert said(waving(times(fps=fps)), fps) == said(waving(times()))
        assert said(walking(times(fps=fps)), fps) == said(walking(times()))


def test_jitter_lost_frames_and_outliers_change_nothing():
    rng = np.random.default_rng(3)
    for skeleton in (waving(times()), walking(times())):
        joints = skeleton.joints.copy()
        joints[..., :2] += rng.normal(0, 0.8, joints[..., :2].shape) * (joints[..., 2:] > 0)
        joints[10:14] = 0  # for a sixth of a second nobody is found
        joints[40, :, 9, :2] += 300  # one wrist somewhere else for one frame
        assert said(Skeleton(skeleton.names, joints, skeleton.bones)) == said(skeleton)


def test_what_is_not_seen_is_not_spoken_of():
    waves = waving(times())
    waves.joints[:, :, [WHOLEBODY.joints.index(name) for name in ("right_wrist", "right_elbow")]] = 0
    assert said(waves) == "The figure stands still."
    legs = [i for i, name in enumerate(WHOLEBODY.joints) if any(part in name for part in ("knee", "ankle", "hip"))]
    waves.joints[:, :, legs] = 0
    assert said(waves) == "The figure keeps still."


def test_nobody_is_nothing():
    nobody = WHOLEBODY.skeleton(np.zeros((10, 2, 133, 3), np.float32))
    assert describe_motion((nobody,), FPS) == ""
    assert describe_motion((), FPS) == ""
    short = WHOLEBODY.skeleton(figure(times()).joints[:1])
    assert describe_motion((short,), FPS) == ""
    with pytest.raises(ValueError, match="frames per second"):
        describe_motion((nobody,), 0)


def joined(*skeletons: Skeleton) -> Skeleton:
    return WHOLEBODY.skeleton(np.concatenate([skeleton.joints for skeleton in skeletons], axis=1))


def test_several_figures_are_told_from_left_to_right():
    left, right = waving(times(), at=(100.0, 200.0)), figure(times(), at=(600.0, 200.0))
    expected = "Two figures. The one on the left waves the right hand; the one on the right stands still."
    assert said(joined(left, right)) == said(joined(right, left)) == expected
    assert said(joined(right, right)) == "Two figures. Each of them stands still."
    animal = figure(times(), QUADRUPED, ANIMAL, at=(900.0, 200.0))
    text = describe_motion((animal, joined(left, right)), FPS)
    assert text.startswith(
        "Three figures. From left to right, the first waves the right hand; the second stands still;"
    )


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_survived(seed):
    """Whatever an estimator lets out (gaps anywhere, points anywhere) becomes some text, without a warning."""
    rng = np.random.default_rng(seed)
    for topology in (WHOLEBODY, QUADRUPED):
        joints = rng.uniform(0, 300, (int(rng.integers(2, 40)), 2, len(topology.joints), 3)).astype(np.float32)
        joints[..., 2] = rng.random(joints.shape[:3]) > rng.random()
        joints[rng.random(len(joints)) < 0.3] = 0
        text = describe_motion((topology.skeleton(joints),), float(rng.choice([5, 24, 60])))
        assert text == "" or text.endswith(".")
