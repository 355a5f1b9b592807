"""Poses made elsewhere: every form there and back, what a real file of each looks like, and damage."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diptych.data import pose_formats
from diptych.data.pose_formats import FORMS, read_and_follow, read_any_poses, read_recorded, write_as
from diptych.data.pose_summary import spans, summarise
from diptych.data.poses import ClipPoses, write_poses
from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.types import InputError

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
SIZE = (320, 240)


def poses(people: int = 2, animals: int = 0, frames: int = 12, seed: int = 0) -> ClipPoses:
    """Figures that stand apart and move a little; some joints are missing throughout, as in real files."""
    rng, skeletons = np.random.default_rng(seed), []
    for topology, count, left in ((WHOLEBODY, people, 60), (QUADRUPED, animals, 90)):
        if not count:
            continue
        j = len(topology.joints)
        shape = (
            rng.uniform(-40, 40, (1, count, j, 2))
            + np.stack([left + 100.0 * np.arange(count), np.full(count, 120)], 1)[None, :, None]
        )
        joints = np.zeros((frames, count, j, 3), np.float32)
        joints[..., :2] = shape + 2 * np.arange(frames)[:, None, None, None] + rng.normal(0, 0.3, (frames, count, j, 2))
        joints[..., 2] = rng.uniform(0.3, 1, (frames, count, j))
        joints[:, 0, 5:9] = 0
        skeletons.append(topology.skeleton(np.round(joints, 4)))
    return ClipPoses(tuple(skeletons), *SIZE, "test")


def same(one: ClipPoses, other: ClipPoses, joints: slice | list[int] = slice(None), atol: float = 2e-4) -> None:
    assert (one.width, one.height, len(one.figures)) == (other.width, other.height, len(other.figures))
    for a, b in zip(one.figures, other.figures, strict=True):
        assert a.names == b.names
        np.testing.assert_allclose(a.joints[:, :, joints], b.joints[:, :, joints], atol=atol)


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("people", [1, 2, 3])
def test_people_come_back(tmp_path, form, people):
    path, clip = tmp_path / "anything", poses(people)
    write_as(path, clip, form, 25.0)
    back, report = read_and_follow(path, frames=12, size=SIZE)
    same(clip, back, [*range(17), *range(23, 133)] if "dwpose" in form else slice(None))
    assert report is not None
    assert not report.dropped
    assert read_recorded(path).fps == 25


@pytest.mark.parametrize("form", ["openpose", "coco"])
def test_animals_come_back_beside_people(tmp_path, form):
    path, clip = tmp_path / "x.json", poses(1, 2)
    write_as(path, clip, form)
    same(clip, read_any_poses(path))
    only = ClipPoses(clip.figures[1:], *SIZE)
    write_as(path, only, form)
    same(only, read_any_poses(path))


@pytest.mark.parametrize("form", ["openpose", "coco"])
def test_identities_are_kept_where_a_form_has_them(tmp_path, form):
    clip = poses(2)
    joints = clip.figures[0].joints.copy()
    joints[6:] = joints[6:, ::-1]  # two who change places: following would undo it
    joints[3, 1] = 0
    clip = ClipPoses((WHOLEBODY.skeleton(joints),), *SIZE)
    write_as(tmp_path / "x", clip, form)
    same(clip, read_any_poses(tmp_path / "x"))


@pytest.mark.parametrize("form", FORMS)
def test_a_clip_without_anybody_comes_back_as_one(tmp_path, form):
    nobody = ClipPoses((WHOLEBODY.skeleton(np.zeros((5, 0, 133, 3), np.float32)),), *SIZE)
    write_as(tmp_path / "x", nobody, form)
    back, report = read_and_follow(tmp_path / "x", frames=5)
    assert back.figures[0].joints.shape == (5, 0, 133, 3)
    assert report.nobody == (0, 1, 2, 3, 4)
    assert summarise(back).sentence() == "nobody was found in any of 5 frames"


def test_our_own_files_are_read_by_the_same_door(tmp_path):
    clip = poses(2, 1)
    write_poses(tmp_path / "x", clip)
    back, report = read_and_follow(tmp_path / "x", frames=12, size=SIZE)
    same(clip, back, atol=0)
    assert report is None
    with pytest.raises(InputError, match="has poses for 12 frames and the clip has 13"):
        read_any_poses(tmp_path / "x", frames=13)


def test_a_form_refuses_what_it_cannot_hold(tmp_path):
    for form in ("recorded", "dwpose", "dwpose-npz"):
        with pytest.raises(InputError, match="write COCO instead"):
            write_as(tmp_path / "x", poses(1, 1), form)
    with pytest.raises(InputError, match="choose one of recorded"):
        write_as(tmp_path / "x", poses(1), "bvh")
    with pytest.raises(InputError, match="cannot be written"):
        write_as(tmp_path / "nowhere" / "x", poses(1), "coco")
    assert not list(tmp_path.iterdir())


# --- what the makers write -------------------------------------------------------------------------------------------


def openpose_person(count: int = 25, **more) -> dict:
    body = [[10.0 * i + 5, 7.0 * i + 3, 0.5] for i in range(count)]
    return {
        "person_id": [-1], "pose_keypoints_2d": [v for point in body for v in point], "face_keypoints_2d": [],
        "hand_left_keypoints_2d": [], "hand_right_keypoints_2d": [], "pose_keypoints_3d": [], **more,
    }  # fmt: skip


def test_a_folder_of_openpose_files_is_read_in_the_order_of_its_numbers(tmp_path):
    for t in (10, 9, 2):
        person = openpose_person()
        person["pose_keypoints_2d"][0] = 100.0 + t
        (tmp_path / f"clip_{t}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": [person]}))
    with pytest.raises(InputError, match="does not say how large its pictures are"):
        read_any_poses(tmp_path)
    back = read_any_poses(tmp_path, size=SIZE, frames=3)
    joints = back.figures[0].joints
    assert joints[:, 0, 0, 0].tolist() == [102, 109, 110]
    named = {name: joints[0, 0, i, :2].tolist() for i, name in enumerate(WHOLEBODY.joints)}
    # Number of each point in BODY_25.
    for name, index in {"right_shoulder": 2, "left_wrist": 7, "right_hip": 9, "left_ankle": 14, "right_eye": 15,
                        "left_ear": 18, "left_big_toe": 19, "right_heel": 24}.items():  # fmt: skip
        assert named[name] == [10 * index + 5, 7 * index + 3]
    assert not joints[0, 0, 23:].any()


def test_eighteen_points_of_openpose_have_no_middle_of_the_hip_and_no_feet(tmp_path):
    (tmp_path / "x.json").write_text(
        json.dumps({"people": [openpose_person(18)], "canvas_width": 320, "canvas_height": 240})
    )
    joints = read_any_poses(tmp_path / "x.json").figures[0].joints[0, 0]
    for name, index in {"right_hip": 8, "left_hip": 11, "left_ankle": 13, "right_eye": 14, "left_ear": 17}.items():
        assert joints[WHOLEBODY.joints.index(name), 0] == 10 * index + 5
    assert not joints[17:23].any()


def test_openpose_in_shares_of_the_picture_becomes_pixels(tmp_path):
    person = openpose_person(18)
    person["pose_keypoints_2d"] = [v for i in range(18) for v in (i / 18, 1 - i / 20, 1.0)]
    (tmp_path / "x.json").write_text(json.dumps([{"people": [person], "canvas_width": 320, "canvas_height": 240}]))
    joints = read_any_poses(tmp_path / "x.json").figures[0].joints[0, 0]
    np.testing.assert_allclose(joints[WHOLEBODY.joints.index("left_ear"), :2], [320 * 17 / 18, 240 * 0.15], atol=1e-3)


def test_a_frame_of_dwpose_as_its_code_holds_it(tmp_path):
    """Two people: bodies in rows of candidate, all left hands before all right ones, -1 for what is not seen."""
    candidate = [[0.1 + 0.01 * i, 0.2] for i in range(18)] + [[0.6 + 0.01 * i, 0.5] for i in range(18)]
    subset = [list(range(18)), [18 + i for i in range(18)]]
    subset[1][4] = -1  # the right wrist
    hands = [[[0.1 * k + 0.001 * i, 0.3] for i in range(21)] for k in (1, 6, 2, 7)]
    hands[3][0] = [-1, -1]
    frame = {
        "bodies": {"candidate": candidate, "subset": subset},
        "hands": hands,
        "faces": [[[0.1 + 0.001 * i, 0.1] for i in range(68)], [[0.6 + 0.001 * i, 0.4] for i in range(68)]],
    }
    (tmp_path / "x.json").write_text(json.dumps([frame]))
    with pytest.raises(InputError, match="how large"):
        read_any_poses(tmp_path / "x.json")
    left, right = read_any_poses(tmp_path / "x.json", size=(1000, 100)).figures[0].joints[0]
    name = WHOLEBODY.joints.index
    np.testing.assert_allclose(left[name("nose")], [100, 20, 1], atol=1e-3)
    np.testing.assert_allclose(left[name("left_ear")], [270, 20, 1], atol=1e-3)
    assert not right[name("right_wrist")].any()
    np.testing.assert_allclose(right[name("left_wrist")], [670, 50, 1], atol=1e-3)
    np.testing.assert_allclose(left[name("left_hand_wrist")], [100, 30, 1], atol=1e-3)
    np.testing.assert_allclose(right[name("left_hand_wrist")], [600, 30, 1], atol=1e-3)
    np.testing.assert_allclose(left[name("right_hand_wrist")], [200, 30, 1], atol=1e-3)
    assert not right[name("right_hand_wrist")].any()
    np.testing.assert_allclose(right[name("face_67")], [667, 40, 1], atol=1e-3)


def test_raw_keypoints_and_scores_in_an_npz(tmp_path):
    clip = poses(2)
    joints = clip.figures[0].joints
    np.savez(tmp_path / "x", keypoints=joints[..., :2], scores=joints[..., 2])
    same(clip, read_any_poses(tmp_path / "x.npz", size=SIZE))


def test_coco_with_flags_and_whole_body_parts(tmp_path):
    annotation = {
        "id": 5, "image_id": 11, "category_id": 1, "bbox": [0, 0, 1, 1],
        "keypoints": [v for i in range(17) for v in (10 + i, 20 + i, i % 3)],
        "foot_kpts": [0.0] * 18, "face_kpts": [v for i in range(68) for v in (40.0 + i, 9.0, 1.0)],
        "lefthand_kpts": [0.0] * 63, "righthand_kpts": [v for i in range(21) for v in (70.0 + i, 80.0, 2.0)],
    }  # fmt: skip
    fox = {
        "id": 6,
        "image_id": 11,
        "category_id": 23,
        "keypoints": [v for i in range(17) for v in (100 + 3 * i, 60 + 2 * i, 2)],
    }
    content = {
        "images": [{"id": 12, "file_name": "b_10.jpg", "width": 320, "height": 240},
                   {"id": 11, "file_name": "b_9.jpg", "width": 320, "height": 240}],
        "annotations": [annotation, fox],
        "categories": [{"id": 1, "name": "person"}, {"id": 23, "name": "fox", "supercategory": "Canidae"}],
    }  # fmt: skip
    (tmp_path / "x.json").write_text(json.dumps(content))
    recorded = read_recorded(tmp_path / "x.json")
    assert [frame.count for frame in recorded.found] == [2, 0]
    (person,), (animal,) = recorded.found[0].people.joints, recorded.found[0].animals.joints
    assert person[:4].tolist() == [[0, 0, 0], [11, 21, 0.5], [12, 22, 1], [0, 0, 0]]
    assert not person[17:23].any()
    assert person[24].tolist() == [41, 9, 1]
    assert not person[91:112].any()
    assert person[112].tolist() == [70, 80, 1]
    assert animal[2].tolist() == [106, 64, 1]


# --- what does not fit or cannot be read -----------------------------------------------------------------------------


def test_a_clip_of_another_length_or_size_is_told(tmp_path):
    write_as(tmp_path / "x.json", poses(1), "coco")
    with pytest.raises(InputError, match=r"x\.json has poses for 12 frames and the clip has 11; estimate them again"):
        read_any_poses(tmp_path / "x.json", frames=11)
    with pytest.raises(InputError, match=r"pictures of 320 x 240 and the clip's are 640 x 480; estimate"):
        read_any_poses(tmp_path / "x.json", size=(640, 480))


GOOD = {"format": "coco-wholebody-133", "width": 320, "height": 240, "fps": 25, "frames": [[[1.0, 2.0, 0.5]] * 133]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no readable JSON"),
        ("{", "no readable JSON"),
        ("NaN", "no readable JSON"),
        ("[" * 100_000, "no readable JSON"),
        ("3", "no known form"),
        ("{}", "no known form"),
        ("[]", "0 frames"),
        ("[1]", "no known form"),
        ('{"frames": [{"people": []}, {"bodies": {}}], "width": 9, "height": 9}', "mixes"),
        ('{"people": 3}', "no list"),
        ('{"people": [3]}', "no table"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "75 or 54"),
        ('{"people": [{"pose_keypoints_2d": ["1", 2, 3]}]}', "no numbers"),
        ('{"people": [{"pose_keypoints_2d": [[1], 2]}]}', "not all of one length"),
        ('{"people": [{"person_id": ["x"]}]}', "identity"),
        ('{"people": [], "canvas_width": -3}', "canvas_width"),
        ('{"bodies": 4}', "no table"),
        ('{"bodies": {"candidate": [[0, 0]], "subset": [[0, 1]]}}', "subset of shape"),
        ('{"images": [], "annotations": []}', "images without an id, or none"),
        ('{"images": [{"id": 1}, {"id": 1}], "annotations": []}', "twice"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 2}]}', "does not list"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": [1]}]}', "without an image_id"),
        ('{"images": [{"id": 1, "video_id": 1}, {"id": 2, "video_id": 2}], "annotations": []}', "several videos"),
        (json.dumps({**GOOD, "width": 0}), "width"),
        (json.dumps({**GOOD, "fps": "fast"}), "frames a second"),
        (json.dumps({**GOOD, "frames": []}), "no frames"),
        (json.dumps({**GOOD, "frames": [3]}), "no list of joints"),
        (json.dumps({**GOOD, "frames": [[[1, 2, 3]] * 132]}), "133"),
        (json.dumps({**GOOD, "frames": [[[1e30, 2, 3]] * 133]}), "far outside"),
        (json.dumps({**GOOD, "frames": [[[[1, 2, 1]] * 133] * 65]}), "133"),
    ],
)  # fmt: skip
def test_damage_is_told_in_one_sentence(tmp_path, content, says):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=says) as told:
        read_any_poses(path, size=SIZE)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_folders_and_paths_that_are_none(tmp_path):
    with pytest.raises(InputError, match="holds no JSON files"):
        read_any_poses(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_any_poses(tmp_path / "nowhere.json")
    (tmp_path / "0.json").write_text("[")
    with pytest.raises(InputError, match=r"0\.json holds no readable JSON"):
        read_any_poses(tmp_path)


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def test_npz_files_that_are_none_or_hold_objects_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    with pytest.raises(InputError, match="without Python objects"):
        read_any_poses(npz(path, keypoints=np.array([{}], object)), size=SIZE)
    for arrays, says in (
        ({"other": np.zeros(3)}, "holds nothing"),
        ({"keypoints": np.zeros((2, 1, 99, 2))}, "keypoints of shape"),
        ({"keypoints": np.zeros((2, 1, 133, 2))}, "without scores"),
        ({"keypoints": np.full((2, 1, 133, 3), np.nan)}, "infinite"),
        ({"keypoints": np.zeros((0, 1, 133, 3))}, "0 frames"),
        ({"candidate": np.zeros((2, 18, 2)), "subset": np.zeros((3, 1, 18))}, "one row a frame"),
    ):
        with pytest.raises(InputError, match=says):
            read_any_poses(npz(path, **arrays), size=SIZE)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keypoints.npy", bytes(9 << 20))  # nine megabytes of zeros are nine kilobytes here
    monkeypatch.setattr(pose_formats, "_LARGEST", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more"):
        read_any_poses(path, size=SIZE)


def read_or_refused(path: Path) -> None:
    """Either sane poses come out or a sentence that names the file."""
    try:
        back = read_any_poses(path, size=SIZE)
    except InputError as error:
        said = str(error)
    else:
        said = path.name
        for skeleton in back.figures:
            assert np.isfinite(skeleton.joints).all()
            assert (skeleton.joints[..., 2] <= 1).all()
    assert path.name in said


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_of_any_form_is_read_or_refused_and_never_fails_otherwise(tmp_path, data):
    form = data.draw(st.sampled_from(FORMS))
    whole = tmp_path / f"whole-{form}"
    if not whole.exists():
        write_as(whole, poses(1, frames=2), form)
    damaged = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        if data.draw(st.booleans()):
            damaged[at] = data.draw(st.integers(0, 255))
        else:
            del damaged[at : at + data.draw(st.integers(1, 40))]
    (tmp_path / "damaged").write_bytes(damaged)
    read_or_refused(tmp_path / "damaged")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_in_any_place_is_read_or_refused(tmp_path, data):
    """Well-formed JSON in which one value, anywhere, is something else."""
    form = data.draw(st.sampled_from(["recorded", "openpose", "dwpose", "coco"]))
    whole = tmp_path / f"{form}.json"
    if not whole.exists():
        write_as(whole, poses(1, frames=2), form, 25.0)
    content = json.loads(whole.read_text())
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    place[key] = data.draw(VALUES)
    (tmp_path / "damaged").write_text(json.dumps(content))
    read_or_refused(tmp_path / "damaged")


# --- summaries and real footage --------------------------------------------------------------------------------------


def test_a_summary_counts_what_is_missing():
    clip = poses(2, 1, frames=10)
    people, animals = (skeleton.joints.copy() for skeleton in clip.figures)
    people[2:5], animals[2:5], animals[7], people[7] = 0, 0, 0, 0
    people[:, 1, 91:112] = 0  # the left hand of one of two
    found = summarise(ClipPoses((WHOLEBODY.skeleton(people), QUADRUPED.skeleton(animals)), *SIZE))
    assert (found.frames, found.people, found.animals, found.nobody) == (10, 2, 1, (2, 3, 4, 7))
    assert found.lost_hands == pytest.approx(0.25)
    seen = np.concatenate([people[..., 2][people[..., 2] > 0], animals[..., 2][animals[..., 2] > 0]])
    assert found.confidence == pytest.approx(seen.mean())
    said = found.sentence()
    assert "2 people and 1 animal" in said
    assert "nobody in 4 of 10 frames (2-4, 7)" in said
    assert "25 % of the hands lost" in said
    assert found.usable


def test_spans_are_read_as_they_are_written():
    assert spans(()) == ""
    assert spans((3,)) == "3"
    assert spans((0, 1, 2, 5, 7, 8)) == "0-2, 5, 7-8"


@pytest.mark.skipif(not (REAL / "poses").is_dir(), reason="no folder of real poses beside the repository")
def test_real_estimates_are_read_followed_and_written_again(tmp_path):
    clips = {item["id"]: item for item in json.loads((REAL / "manifest.json").read_text())}
    files = sorted((REAL / "poses").glob("*.json"))
    assert len(files) == 10
    for file in files:
        clip = clips[file.stem]
        found, report = read_and_follow(file, frames=clip["frames"], size=tuple(clip["size"]))
        told = summarise(found)
        if "drawing" in file.stem:  # nobody is found in it
            assert not told.usable
            assert report.nobody == tuple(range(50))
            continue
        assert told.usable
        assert told.people == (2 if "two_kids" in file.stem else 1)
        assert 0.3 < told.confidence <= 1
        assert not report.dropped
        if "two_kids" in file.stem:
            assert len(report.unseen) == 22
            assert set(report.nobody) < set(report.unseen)
        for form in ("openpose", "coco"):
            write_as(tmp_path / "x", found, form)
            same(found, read_any_poses(tmp_path / "x"), atol=1e-3)
