"""Poses that others made, read and written in the forms that they have.

    recorded    JSON: {"format": "coco-wholebody-133", "width", "height", "fps", "frames": [...]}, where a frame is the
                133 joints of one person, a list of people, or []
    openpose    a folder of JSON files, or one file: people with pose_keypoints_2d (25 or 18), face and hands, in pixels
    dwpose      JSON or npz: bodies (candidate and subset), faces, hands, all in shares of the picture
    coco        JSON: images and annotations with 17 keypoints or all of COCO-WholeBody's; animals as AP-10K counts them
    diptych     our own safetensors (data/poses.py)

What a file is, is told by what is in it, never by its name. Files from outside are untrusted: their size, frames,
figures and numbers are bounded, and whatever is wrong is said in one sentence. Identities are taken from the file where
it has them and are worked out where it has not (method/tracking.py).
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from diptych.data.poses import ClipPoses, read_poses
from diptych.files import replacing, writing_errors
from diptych.method.skeleton import QUADRUPED, WHOLEBODY, topology_of
from diptych.method.tracking import Detections, FrameFigures, TrackingReport, TrackingSettings, link
from diptych.types import InputError

Joints = NDArray[np.float32]

_LARGEST = 64 << 20
_MOST_FRAMES = 100_000
_MOST_FIGURES = 64
_FARTHEST = 1e6
_LONGEST_SIDE = 1 << 16
_BODY, _FEET, _FACE, _LEFT, _RIGHT = slice(0, 17), slice(17, 23), slice(23, 91), slice(91, 112), slice(112, 133)

RECORDED = "coco-wholebody-133"
_KNOWN = "recorded whole-body JSON, OpenPose JSON, DWPose JSON or npz, COCO JSON, or a safetensors file of diptych's"

_OPENPOSE_25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe",
    "right_heel",
)  # fmt: skip
_OPENPOSE_18 = tuple(name for name in _OPENPOSE_25[:19] if name != "mid_hip")


@dataclass(frozen=True, eq=False)
class Recorded:
    """Figures frame by frame as a file has them, before anybody is followed.

    Attributes:
        found: per frame.
        width: of the pictures, or None where the file does not say.
        height: of them.
        fps: frames a second, or None where the file does not say.
        source: the form they were read from.
        shares: whether places are shares of the picture, in [0, 1], instead of pixels.
    """

    found: tuple[FrameFigures, ...]
    width: int | None
    height: int | None
    fps: float | None
    source: str
    shares: bool = False


def read_any_poses(
    path: Path, *, frames: int | None = None, size: tuple[int, int] | None = None, fps: float | None = None
) -> ClipPoses:
    """Poses of a clip from a file or a folder of any known form; every figure keeps its index.

    Args:
        path: file, or folder of one JSON file for each frame.
        frames: of the clip, to be checked; None where nobody knows.
        size: width and height of the clip's pictures, to be checked and, where the file does not say, to be taken.
        fps: of the clip, where the file does not say: how long a gap is depends on it.

    Raises:
        InputError: if it cannot be read, is of no known form, or does not fit the clip.
    """
    return read_and_follow(path, frames=frames, size=size, fps=fps)[0]


def read_and_follow(
    path: Path,
    *,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    settings: TrackingSettings | None = None,
) -> tuple[ClipPoses, TrackingReport | None]:
    """As :func:`read_any_poses`, and what following did; None where the file is our own and nothing was to be done.

    Raises:
        InputError: likewise.
    """
    if _is_safetensors(path):
        poses = read_poses(path)
        _check(path, poses.frames, (poses.width, poses.height), frames, size)
        return poses, None
    recorded = read_recorded(path)
    width, height = recorded.width, recorded.height
    if width is None or height is None:
        if size is None:
            _refuse(path, "does not say how large its pictures are; name the clip or the size that it belongs to")
        width, height = size
    _check(path, len(recorded.found), (width, height), frames, size)
    found = [_scaled(frame, width, height) for frame in recorded.found] if recorded.shares else list(recorded.found)
    skeletons, report = link(found, width, height, fps=recorded.fps or fps, settings=settings, most=_MOST_FIGURES)
    return ClipPoses(skeletons, width, height, recorded.source), report


def read_recorded(path: Path) -> Recorded:
    """Figures frame by frame from a file or folder of any form but our own.

    Raises:
        InputError: if it cannot be read or is of no known form.
    """
    try:
        if path.is_dir():
            return _read_folder(path)
        start = _bytes_of(path)
        if start[:4] == b"PK\x03\x04":
            return _read_npz(path, start)
        return _read_json(path, _json(path, start))
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        # The last net: a file that is wrong in a way that no check above names.
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        _refuse(path, f"is not what it seems to be ({reason}); export the poses again")


# --- what is wrong is said in one sentence --------------------------------------------------------------------------


def _refuse(path: Path, what: str) -> NoReturn:
    raise InputError(f"{path} {what}.") from None


def _check(
    path: Path, found: int, found_size: tuple[int, int], frames: int | None, size: tuple[int, int] | None
) -> None:
    if frames is not None and found != frames:
        _refuse(path, f"has poses for {found} frames and the clip has {frames}; estimate them again from this clip")
    if size is not None and found_size != tuple(size):
        asked, has = (" x ".join(map(str, pair)) for pair in (size, found_size))
        _refuse(path, f"has poses for pictures of {has} and the clip's are {asked}; estimate them again from this clip")


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            _refuse(path, f"is larger than {_LARGEST >> 20} MiB; cut the clip shorter")
        return path.read_bytes()
    except OSError as error:
        _refuse(path, f"cannot be read ({(error.strerror or type(error).__name__).lower()}); check the path")


def _is_safetensors(path: Path) -> bool:
    """Eight bytes that say how long the header is, and then a header in JSON."""
    try:
        with path.open("rb") as file:
            start, size = file.read(9), path.stat().st_size
    except OSError:
        return False
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") + 8 <= size


def _json(path: Path, data: bytes) -> Any:
    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number")

    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        reason = " ".join(str(error).split())[:120]
        _refuse(path, f"holds no readable JSON ({reason}); give {_KNOWN}")


def _side(path: Path, value: Any, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= _LONGEST_SIDE:
        _refuse(path, f"says that its {name} is {str(value)[:40]!r}; it has to be a number of pixels")
    return int(value)


def _rate(path: Path, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1000:
        _refuse(path, f"says that it has {str(value)[:40]!r} frames a second; it has to be a number up to 1000")
    return float(value)


def _listed(path: Path, value: Any, what: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        _refuse(path, f"has {what} that are no list of at most {most}; export the poses again")
    return value


def _numbers(path: Path, value: Any, what: str) -> NDArray[np.float64]:
    """An array of finite numbers of a sane size."""
    try:
        array = np.asarray(value)
    except ValueError:
        _refuse(path, f"has {what} that are not all of one length; export the poses again")
    if array.dtype.kind not in "iuf" and array.size:
        _refuse(path, f"has {what} that are no numbers; export the poses again")
    array = array.astype(np.float64)
    if not np.isfinite(array).all() or (np.abs(array) > _FARTHEST).any():
        _refuse(path, f"has {what} that are infinite or far outside any picture; export the poses again")
    return array


def _points(path: Path, value: Any, what: str, counts: Sequence[int]) -> NDArray[np.float64] | None:
    """``(n, 3)`` from a flat list of x, y, confidence; None where there is nothing."""
    if value is None or (isinstance(value, list) and not value):
        return None
    flat = _numbers(path, value, what)
    if flat.ndim != 1 or flat.size not in [3 * count for count in counts]:
        allowed = " or ".join(str(3 * count) for count in counts)
        _refuse(path, f"has {what} of shape {flat.shape}; it has to be a list of {allowed} numbers")
    return flat.reshape(-1, 3)


def _settled(joints: NDArray[np.float64]) -> Joints:
    """Confidence within [0, 1] (peaks of heat maps may lie a little above), and nothing where it is 0."""
    joints = joints.copy()
    joints[..., 2] = np.clip(joints[..., 2], 0, 1)
    joints[joints[..., 2] <= 0] = 0
    return joints.astype(np.float32)


def _scaled(frame: FrameFigures, width: int, height: int) -> FrameFigures:
    """From shares of the picture to pixels."""

    def scaled(found: Detections) -> Detections:
        ids = None if found.ids is None else found.ids.tolist()
        return Detections.of((found.joints * np.array([width, height, 1], np.float32)).astype(np.float32), ids)

    return FrameFigures(scaled(frame.people), scaled(frame.animals))


def _in_shares(frames: Sequence[FrameFigures]) -> bool:
    """Whether no joint lies farther out than one and a half pictures, were these shares: no figure is that small."""
    places = [
        found.joints[found.joints[..., 2] > 0][:, :2] for frame in frames for found in (frame.people, frame.animals)
    ]
    everything = np.concatenate(places) if places else np.zeros((0, 2))
    return bool(len(everything)) and bool((np.abs(everything) <= 1.5).all())


# --- folders and JSON -----------------------------------------------------------------------------------------------


def _natural(name: str) -> list[tuple[int, int, str]]:
    """So that frame 10 comes after frame 9."""
    return [(1, int(part[:18]), part) if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", name) if part]


def _read_folder(path: Path) -> Recorded:
    files = sorted((file for file in path.glob("*.json") if file.is_file()), key=lambda file: _natural(file.name))
    if not files:
        _refuse(path, "holds no JSON files; give a folder with one for each frame")
    if len(files) > _MOST_FRAMES or sum(file.stat().st_size for file in files) > 4 * _LARGEST:
        _refuse(path, "holds more than a clip has; cut it into clips")
    return _frame_by_frame(path, ((file, _json(file, _bytes_of(file))) for file in files), len(files), {})


def _read_json(path: Path, content: Any) -> Recorded:
    if isinstance(content, dict):
        if content.get("format") == RECORDED:
            return _read_whole_bodies(path, content)
        if "images" in content and "annotations" in content:
            return _read_coco(path, content)
        if _form_of(content):
            return _frame_by_frame(path, iter([(path, content)]), 1, content)
        if isinstance(content.get("frames"), list):
            content, head = content["frames"], content
            return _frame_by_frame(path, ((path, frame) for frame in content), len(content), head)
    elif isinstance(content, list):
        return _frame_by_frame(path, ((path, frame) for frame in content), len(content), {})
    _refuse(path, f"holds poses of no known form; give {_KNOWN}")


def _form_of(frame: Any) -> str:
    if isinstance(frame, dict) and ("people" in frame or "animals" in frame):
        return "openpose"
    return "dwpose" if isinstance(frame, dict) and "bodies" in frame else ""


def _frame_by_frame(path: Path, frames: Iterator[tuple[Path, Any]], count: int, head: dict[str, Any]) -> Recorded:
    """Frames of OpenPose's or DWPose's form, all of the same."""
    if not 0 < count <= _MOST_FRAMES:
        _refuse(path, f"has {count} frames; it has to have 1 to {_MOST_FRAMES}")
    found, forms, sizes = [], set(), set()
    for file, frame in frames:
        form = _form_of(frame)
        if not form:
            _refuse(file, f"has a frame of no known form; give {_KNOWN}")
        forms.add(form)
        found.append(_openpose_frame(file, frame) if form == "openpose" else _dwpose_frame(file, frame))
        sizes.add(tuple(_side(file, frame.get(f"canvas_{name}"), f"canvas_{name}") for name in ("width", "height")))
    if len(forms) > 1:
        _refuse(path, "mixes OpenPose's form and DWPose's; export all frames alike")
    if len(sizes) > 1:
        _refuse(path, "has frames of different sizes; export the poses of one clip")
    (width, height), form = sizes.pop(), forms.pop()
    return Recorded(
        tuple(found),
        _side(path, head.get("width"), "width") or width,
        _side(path, head.get("height"), "height") or height,
        _rate(path, head.get("fps")),
        form,
        form == "dwpose" or _in_shares(found),
    )


# --- the recorded form ----------------------------------------------------------------------------------------------


def _read_whole_bodies(path: Path, content: dict[str, Any]) -> Recorded:
    found = []
    for number, frame in enumerate(_listed(path, content.get("frames"), "frames", _MOST_FRAMES)):
        if not isinstance(frame, list):
            _refuse(path, f"has a frame {number} that is no list of joints; export the poses again")
        array = _numbers(path, frame, f"joints in frame {number}")
        if not array.size:
            array = np.zeros((0, 133, 3))
        people = array[None] if array.ndim == 2 else array
        if people.ndim != 3 or people.shape[1:] != (133, 3) or len(people) > _MOST_FIGURES:
            _refuse(path, f"has joints of shape {array.shape} in frame {number}; a person has 133 of x, y, score")
        found.append(FrameFigures.of(_settled(people)))
    if not found:
        _refuse(path, "has no frames; estimate the poses again")
    width, height = (_side(path, content.get(name), name) for name in ("width", "height"))
    return Recorded(tuple(found), width, height, _rate(path, content.get("fps")), RECORDED)


def _write_whole_bodies(path: Path, poses: ClipPoses, fps: float | None) -> None:
    people = _only(path, poses, "people", WHOLEBODY.name)
    frames = [[_rounded(figure).tolist() for figure in frame if (figure[:, 2] > 0).any()] for frame in people]
    content = {"format": RECORDED, "width": poses.width, "height": poses.height, "fps": fps, "frames": frames}
    _write_json(path, {key: value for key, value in content.items() if value is not None})


# --- OpenPose -------------------------------------------------------------------------------------------------------


def _openpose_frame(path: Path, frame: dict[str, Any]) -> FrameFigures:
    people, names = [], []
    for person in _listed(path, frame.get("people") or [], "people", _MOST_FIGURES):
        if not isinstance(person, dict):
            _refuse(path, "has a person that is no table of keypoints; export the poses again")
        joints = np.zeros((133, 3))
        body = _points(path, person.get("pose_keypoints_2d"), "pose_keypoints_2d", (25, 18))
        if body is not None:
            for name, point in zip(_OPENPOSE_25 if len(body) == 25 else _OPENPOSE_18, body, strict=True):
                if name in WHOLEBODY.joints:
                    joints[WHOLEBODY.joints.index(name)] = point
        face = _points(path, person.get("face_keypoints_2d"), "face_keypoints_2d", (70, 68))
        joints[_FACE] = 0 if face is None else face[:68]  # the two behind them are the pupils
        for part, name in ((_LEFT, "hand_left_keypoints_2d"), (_RIGHT, "hand_right_keypoints_2d")):
            hand = _points(path, person.get(name), name, (21,))
            joints[part] = 0 if hand is None else hand
        people.append(_settled(joints))
        names.append(_name_of(path, person.get("person_id")))
    animals = [
        _points(path, animal, "animals", (17,)) for animal in _listed(path, frame.get("animals") or [], "animals", 64)
    ]
    return FrameFigures(
        Detections.of(_stacked(people, 133), _names(names)),
        Detections.of(_stacked([_settled(animal) for animal in animals if animal is not None], 17)),
    )


def _name_of(path: Path, value: Any) -> int | None:
    """OpenPose's list of one number; -1 stands for nobody knows."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or value == [] or value == -1:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 31:
        _refuse(path, f"has the identity {str(value)[:40]!r}; it has to be a whole number")
    return value


def _names(names: Sequence[int | None]) -> list[int] | None:
    known = [name for name in names if name is not None]
    return known if known and len(known) == len(names) else None


def _stacked(figures: Sequence[NDArray[Any]], joints: int) -> Joints:
    return np.stack(figures).astype(np.float32) if figures else np.zeros((0, joints, 3), np.float32)


def _write_openpose(path: Path, poses: ClipPoses, fps: float | None) -> None:
    """One file: a list of frames, each as OpenPose writes it with its canvas' size beside it."""
    frames: list[dict[str, Any]] = []
    for t in range(poses.frames):
        people, animals = _frame_of(poses, t)
        frame = {
            "version": 1.3,
            "people": [_openpose_person(figure, joints) for figure, joints in people],
            "canvas_width": poses.width,
            "canvas_height": poses.height,
        }
        frames.append(frame | ({"animals": [_flat(joints) for _, joints in animals]} if animals else {}))
    _write_json(path, {"width": poses.width, "height": poses.height, "frames": frames} | ({"fps": fps} if fps else {}))


def _openpose_person(figure: int, joints: Joints) -> dict[str, Any]:
    def between(one: str, other: str) -> Joints:
        ends = joints[[WHOLEBODY.joints.index(one), WHOLEBODY.joints.index(other)]]
        middle = ends.mean(0)
        middle[2] = ends[:, 2].min()
        return middle if middle[2] > 0 else np.zeros(3, np.float32)

    made = {"neck": between("left_shoulder", "right_shoulder"), "mid_hip": between("left_hip", "right_hip")}
    body = np.stack([made[name] if name in made else joints[WHOLEBODY.joints.index(name)] for name in _OPENPOSE_25])
    return {
        "person_id": [figure],
        "pose_keypoints_2d": _flat(body),
        "face_keypoints_2d": _flat(np.concatenate([joints[_FACE], np.zeros((2, 3), np.float32)])),
        "hand_left_keypoints_2d": _flat(joints[_LEFT]),
        "hand_right_keypoints_2d": _flat(joints[_RIGHT]),
    }


# --- DWPose ---------------------------------------------------------------------------------------------------------


def _dwpose_frame(path: Path, frame: dict[str, Any]) -> FrameFigures:
    """Places in shares of the picture, below 0 = not seen; ``subset`` holds a joint's row in ``candidate``, or -1."""
    bodies = frame.get("bodies")
    if not isinstance(bodies, dict):
        _refuse(path, "has bodies that are no table of candidate and subset; export the poses again")
    subset = _numbers(path, bodies.get("subset", []), "subset")
    return FrameFigures.of(
        _dwpose_people(
            path,
            _numbers(path, bodies.get("candidate", []), "candidate"),
            subset.reshape(0, 18) if not subset.size else subset,
            _numbers(path, frame.get("faces") or [], "faces"),
            _numbers(path, frame.get("hands") or [], "hands"),
            _numbers(path, bodies.get("score") or [], "score"),
            _numbers(path, frame.get("faces_score") or [], "faces_score"),
            _numbers(path, frame.get("hands_score") or [], "hands_score"),
        )
    )


def _dwpose_people(
    path: Path,
    candidate: NDArray[np.float64],
    subset: NDArray[np.float64],
    faces: NDArray[np.float64],
    hands: NDArray[np.float64],
    scores: NDArray[np.float64],
    face_scores: NDArray[np.float64],
    hand_scores: NDArray[np.float64],
) -> Joints:
    """``(n, 133, 3)`` in shares: bodies of 18 points, faces of 68, and all left hands before all right ones."""
    if subset.ndim != 2 or subset.shape[1] not in (18, 20) or len(subset) > _MOST_FIGURES:
        _refuse(path, f"has a subset of shape {subset.shape}; it has to be (people, 18)")
    count = len(subset)
    if candidate.size and (candidate.ndim != 2 or candidate.shape[1] not in (2, 3, 4)):
        _refuse(path, f"has candidates of shape {candidate.shape}; they have to be (points, 2)")
    rows = np.where((subset[:, :18] >= 0) & (subset[:, :18] < len(candidate)), subset[:, :18], -1).astype(int)
    joints = np.zeros((count, 133, 3))
    for column, name in enumerate(_OPENPOSE_18):
        for person in range(count):
            row = rows[person, column]
            if row >= 0 and name in WHOLEBODY.joints and (candidate[row, :2] >= 0).all():
                sure = scores[person, column] if scores.shape == (count, 18) else 1.0
                sure = candidate[row, 2] if candidate.shape[1] > 2 and scores.shape != (count, 18) else sure
                joints[person, WHOLEBODY.joints.index(name)] = [*candidate[row, :2], sure]
    for points, sure, parts in ((faces, face_scores, (_FACE,)), (hands, hand_scores, (_LEFT, _RIGHT))):
        length = parts[0].stop - parts[0].start
        if not points.size:
            continue
        if points.shape[1:] not in ((length, 2), (length, 3)) or len(points) != len(parts) * count:
            wanted = f"({len(parts) * count}, {length}, 2)"
            _refuse(path, f"has faces or hands of shape {points.shape}; with {count} people they have to be {wanted}")
        for k, part in enumerate(parts):
            block = slice(k * count, (k + 1) * count)
            joints[:, part, :2] = points[block, :, :2]
            given = sure[block] if sure.shape == points.shape[:2] else np.ones((count, length))
            joints[:, part, 2] = np.where((points[block, :, :2] >= 0).all(-1), given, 0)
    return _settled(joints)


def _dwpose_tables(people: Sequence[Joints], width: int, height: int) -> dict[str, NDArray[np.float64]]:
    """What DWPose's scripts hold for a frame, and scores beside it."""
    count = len(people)
    joints = np.stack(people).astype(np.float64) if count else np.zeros((0, 133, 3))
    seen = joints[..., 2] > 0
    places = np.where(seen[..., None], joints[..., :2] / [width, height], -1.0)
    body, scores = np.full((count, 18, 2), -1.0), np.zeros((count, 18))
    for column, name in enumerate(_OPENPOSE_18):
        if name in WHOLEBODY.joints:
            index = WHOLEBODY.joints.index(name)
            body[:, column], scores[:, column] = places[:, index], joints[:, index, 2]
    shoulders = [WHOLEBODY.joints.index(f"{side}_shoulder") for side in ("left", "right")]
    neck = seen[:, shoulders].all(1)
    body[neck, 1], scores[neck, 1] = places[neck][:, shoulders].mean(1), joints[neck][:, shoulders, 2].min(1)
    rows = np.arange(count * 18, dtype=np.float64).reshape(count, 18)
    return {
        "candidate": body.reshape(-1, 2),
        "subset": np.where(scores > 0, rows, -1),
        "score": scores,
        "faces": places[:, _FACE],
        "faces_score": joints[:, _FACE, 2],
        "hands": np.concatenate([places[:, _LEFT], places[:, _RIGHT]]),
        "hands_score": np.concatenate([joints[:, _LEFT, 2], joints[:, _RIGHT, 2]]),
    }


def _write_dwpose(path: Path, poses: ClipPoses, fps: float | None) -> None:
    frames = []
    for t in range(poses.frames):
        people, animals = _frame_of(poses, t)
        if animals:
            _refuse(path, "cannot hold animals in DWPose's form; write COCO instead")
        made = {
            key: value.tolist()
            for key, value in _dwpose_tables([joints for _, joints in people], poses.width, poses.height).items()
        }
        bodies = {key: made.pop(key) for key in ("candidate", "subset", "score")}
        frames.append({"bodies": bodies, **made})
    _write_json(path, {"width": poses.width, "height": poses.height, "frames": frames} | ({"fps": fps} if fps else {}))


_TABLES = ("candidate", "subset", "faces", "hands", "score", "faces_score", "hands_score")


def _write_npz(path: Path, poses: ClipPoses, fps: float | None) -> None:
    """All frames stacked; those with fewer people are filled up with -1."""
    if len(poses.figures) > 1 or topology_of(poses.figures[0]) is not WHOLEBODY:
        _refuse(path, "cannot hold animals in DWPose's form; write COCO instead")
    people = poses.figures[0].joints
    tables = [_dwpose_tables(list(frame), poses.width, poses.height) for frame in people]
    stacked: dict[str, Any] = {name: np.stack([table[name] for table in tables]).astype(np.float32) for name in _TABLES}
    stacked |= {"width": np.int64(poses.width), "height": np.int64(poses.height)}
    stacked |= {"fps": np.float64(fps)} if fps else {}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **stacked)
    with writing_errors(path), replacing(path) as draft:
        draft.write_bytes(buffer.getvalue())


def _read_npz(path: Path, data: bytes) -> Recorded:
    tables = _tables_of(path, data)
    head = {name: tables[name].item() for name in ("width", "height", "fps") if tables.get(name, np.zeros(2)).size == 1}
    width, height = _side(path, head.get("width"), "width"), _side(path, head.get("height"), "height")
    fps = _rate(path, head.get("fps"))
    if "keypoints" in tables:
        found = _raw_frames(path, tables["keypoints"], tables.get("scores"))
        shares = _in_shares(found)
    elif "candidate" in tables and "subset" in tables:
        found, shares = _stacked_frames(path, tables), True
    else:
        names = ", ".join(sorted(tables))[:120] or "nothing"
        _refuse(path, f"holds {names}; it has to hold candidate, subset, faces and hands, or keypoints and scores")
    if not 0 < len(found) <= _MOST_FRAMES:
        _refuse(path, f"has {len(found)} frames; it has to have 1 to {_MOST_FRAMES}")
    return Recorded(tuple(found), width, height, fps, "dwpose", shares)


def _tables_of(path: Path, data: bytes) -> dict[str, NDArray[np.float64]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(part.file_size for part in archive.infolist()) > 8 * _LARGEST:
                _refuse(path, "unpacks to more than the poses of a clip need; cut the clip shorter")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            wanted = [
                name for name in arrays.files if name in (*_TABLES, "keypoints", "scores", "width", "height", "fps")
            ]
            return {name: _numbers(path, arrays[name], name) for name in wanted}
    except (
        ValueError, OSError, EOFError, KeyError, IndexError, SyntaxError, TypeError, AttributeError, MemoryError,
        OverflowError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        _refuse(path, f"is no readable npz of plain arrays ({reason}); export it again without Python objects")


def _raw_frames(path: Path, keypoints: NDArray[np.float64], scores: NDArray[np.float64] | None) -> list[FrameFigures]:
    """Keypoints and scores as whole-body models return them: 133, or 134 with a neck before the feet."""
    if keypoints.ndim == 3:  # one person
        keypoints, scores = keypoints[:, None], None if scores is None else scores[:, None]
    if keypoints.ndim != 4 or keypoints.shape[2] != 133 or keypoints.shape[3] not in (2, 3):
        _refuse(path, f"has keypoints of shape {keypoints.shape}; they have to be (frames, people, 133, 2)")
    if keypoints.shape[1] > _MOST_FIGURES:
        _refuse(path, f"has {keypoints.shape[1]} people in a frame; there may be {_MOST_FIGURES}")
    if keypoints.shape[3] == 2:
        if scores is None or scores.shape != keypoints.shape[:3]:
            _refuse(path, "has keypoints without scores of the same shape; export both")
        keypoints = np.concatenate([keypoints, scores[..., None]], axis=-1)
    return [FrameFigures.of(_settled(frame)) for frame in keypoints]


def _stacked_frames(path: Path, tables: dict[str, NDArray[np.float64]]) -> list[FrameFigures]:
    frames = len(tables["subset"]) if tables["subset"].ndim == 3 else -1
    for name in _TABLES:
        if name in tables and (tables[name].ndim < 2 or len(tables[name]) != frames):
            _refuse(path, f"has {name} of shape {tables[name].shape}; all tables have to begin with one row a frame")
    nothing = np.zeros((frames, 0))
    rest = [tables.get(name, nothing) for name in _TABLES[2:]]
    return [
        FrameFigures.of(
            _dwpose_people(path, tables["candidate"][t], tables["subset"][t], *(table[t] for table in rest))
        )
        for t in range(frames)
    ]


# --- COCO -----------------------------------------------------------------------------------------------------------

_PARTS = (("foot_kpts", _FEET), ("face_kpts", _FACE), ("lefthand_kpts", _LEFT), ("righthand_kpts", _RIGHT))


def _read_coco(path: Path, content: dict[str, Any]) -> Recorded:
    images = _coco_images(path, content)
    animals = _animal_categories(path, content)
    annotations = _listed(path, content["annotations"], "annotations", _MOST_FRAMES * 8)
    flags = _has_flags(path, annotations)
    people: dict[Any, list[tuple[Joints, int | None]]] = {image["id"]: [] for image in images}
    beasts: dict[Any, list[tuple[Joints, int | None]]] = {image["id"]: [] for image in images}
    for annotation in annotations:
        if not isinstance(annotation, dict) or not _is_key(annotation.get("image_id")):
            _refuse(path, "has an annotation without an image_id; export the poses again")
        image = annotation["image_id"]
        if image not in people:
            _refuse(path, f"has an annotation of the image {str(image)[:40]!r}, which it does not list; export again")
        category = annotation.get("category_id")
        is_animal = _is_key(category) and category in animals
        joints = _coco_joints(path, annotation, is_animal, flags)
        if joints is not None:
            name = _name_of(path, annotation.get("track_id"))
            (beasts if is_animal else people)[image].append((joints, name))
    found = []
    for image in images:
        both = []
        for figures, count in ((people[image["id"]], 133), (beasts[image["id"]], 17)):
            if len(figures) > _MOST_FIGURES:
                _refuse(path, f"has {len(figures)} figures in one image; there may be {_MOST_FIGURES}")
            names = _names([name for _, name in figures])
            both.append(Detections.of(_stacked([joints for joints, _ in figures], count), names))
        found.append(FrameFigures(*both))
    sizes = {(_side(path, image.get("width"), "width"), _side(path, image.get("height"), "height")) for image in images}
    if len(sizes) > 1:
        _refuse(path, "has images of different sizes; export the poses of one clip")
    info = content.get("info")
    fps = _rate(path, info.get("fps")) if isinstance(info, dict) else None
    width, height = sizes.pop()
    return Recorded(tuple(found), width, height, fps, "coco")


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _coco_images(path: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    """In the order of the clip: by the frames' numbers where all have one, else by the files' names."""
    images = _listed(path, content["images"], "images", _MOST_FRAMES)
    if not images or not all(isinstance(image, dict) and _is_key(image.get("id")) for image in images):
        _refuse(path, "has images without an id, or none; export the poses again")
    if len({image["id"] for image in images}) != len(images):
        _refuse(path, "lists an image twice; export the poses again")
    if len({str(image.get("video_id")) for image in images}) > 1:
        _refuse(path, "holds several videos; export one file for each clip")

    def numbers(name: str) -> list[Any]:
        values = [image.get(name) for image in images]
        return values if all(isinstance(v, int) and not isinstance(v, bool) for v in values) else []

    for name in ("frame_id", "frame_index"):
        if values := numbers(name):
            return [image for _, image in sorted(zip(values, images, strict=True), key=lambda pair: pair[0])]
    if all(isinstance(image.get("file_name"), str) for image in images):
        return sorted(images, key=lambda image: _natural(image["file_name"]))
    return sorted(images, key=lambda image: _natural(str(image["id"])))


def _animal_categories(path: Path, content: dict[str, Any]) -> set[Any]:
    categories = _listed(path, content.get("categories", []), "categories", 10_000)
    found = set()
    for category in categories:
        if not isinstance(category, dict) or not _is_key(category.get("id")):
            _refuse(path, "has a category without an id; export the poses again")
        names = category.get("keypoints")
        if str(category.get("name", "person")).lower() != "person":
            if isinstance(names, list) and len(names) not in (0, len(QUADRUPED.joints)):
                continue  # a thing, or an animal counted in another way: its annotations are refused where they count
            found.add(category["id"])
    return found


def _has_flags(path: Path, annotations: list[Any]) -> set[str]:
    """Which fields hold COCO's flags (0 = not labelled, 1 = hidden, 2 = seen) instead of confidences."""
    flagged = set()
    for annotation in annotations:
        for name in ("keypoints", *(part for part, _ in _PARTS)):
            value = annotation.get(name) if isinstance(annotation, dict) else None
            if isinstance(value, list) and any(
                isinstance(v, int | float) and not isinstance(v, bool) and 1.5 < v <= 2 for v in value[2::3]
            ):
                flagged.add(name)
    return flagged


def _coco_joints(path: Path, annotation: dict[str, Any], is_animal: bool, flags: set[str]) -> Joints | None:
    def points(name: str, counts: Sequence[int]) -> NDArray[np.float64] | None:
        found = _points(path, annotation.get(name), name, counts)
        if found is not None and name in flags:
            found[:, 2] /= 2
        return found

    body = points("keypoints", (17,) if is_animal else (17, 133))
    if body is None:
        return None
    if is_animal:
        return _settled(body)
    joints = np.zeros((133, 3))
    joints[: len(body)] = body
    for name, part in _PARTS:
        found = points(name, (part.stop - part.start,))
        if found is not None:
            joints[part] = found
    return _settled(joints)


def _write_coco(path: Path, poses: ClipPoses, fps: float | None) -> None:
    """As COCO-WholeBody and AP-10K have it; in place of flags stand confidences, as in COCO's results."""
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
    for t in range(poses.frames):
        images.append({"id": t, "frame_id": t, "file_name": f"{t:06}", "width": poses.width, "height": poses.height})
        for category, figures in enumerate(_frame_of(poses, t), 1):
            for figure, joints in figures:
                annotations.append(_coco_annotation(len(annotations), t, category, figure, joints))
    categories = [
        {"id": 1, "name": "person", "keypoints": list(WHOLEBODY.joints[_BODY])},
        {"id": 2, "name": "animal", "supercategory": "animal", "keypoints": list(QUADRUPED.joints)},
    ]
    info = {"description": "poses of a clip", "source": poses.source} | ({"fps": fps} if fps else {})
    _write_json(path, {"info": info, "images": images, "annotations": annotations, "categories": categories})


def _coco_annotation(number: int, image: int, category: int, figure: int, joints: Joints) -> dict[str, Any]:
    seen = joints[joints[:, 2] > 0]
    least, most = seen[:, :2].min(0), seen[:, :2].max(0)
    box = [round(float(v), 3) for v in (*least, *(most - least))]
    made: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": category,
        "track_id": figure,
        "iscrowd": 0,
        "bbox": box,
        "area": round(box[2] * box[3], 3),
        "num_keypoints": int((joints[:17, 2] > 0).sum()),
        "keypoints": _flat(joints[:17]),
    }
    return made if category == 2 else made | {name: _flat(joints[part]) for name, part in _PARTS}


# --- writing --------------------------------------------------------------------------------------------------------

_WRITERS: dict[str, Callable[[Path, ClipPoses, float | None], None]] = {
    "recorded": _write_whole_bodies,
    "openpose": _write_openpose,
    "dwpose": _write_dwpose,
    "dwpose-npz": _write_npz,
    "coco": _write_coco,
}

FORMS = tuple(_WRITERS)
"""The forms that :func:`write_as` knows."""


def write_as(path: Path, poses: ClipPoses, form: str, fps: float | None = None) -> None:
    """Writes poses for other programs, atomically.

    What a form cannot hold is lost: DWPose's has no feet and nothing left of the picture or above it; the others hold
    all 133 joints, to four decimals. Identities are kept by OpenPose's form and COCO's.

    Args:
        path: file.
        poses: of a clip.
        form: one of ``FORMS``.
        fps: frames a second, where known.

    Raises:
        InputError: if there is no such form, it cannot hold these figures, or the file cannot be written.
    """
    if form not in _WRITERS:
        raise InputError(f"there is no form {form!r} of poses; choose one of {', '.join(FORMS)}.")
    _WRITERS[form](path, poses, fps)


def _write_json(path: Path, value: object) -> None:
    """Without the line breaks of ``files.write_json``, which would give every number a line."""
    with writing_errors(path), replacing(path) as draft:
        draft.write_text(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8")


def _only(path: Path, poses: ClipPoses, who: str, name: str) -> Joints:
    if [topology_of(skeleton).name for skeleton in poses.figures] != [name]:
        _refuse(path, f"can hold {who} only in this form; write COCO instead")
    return poses.figures[0].joints


def _frame_of(poses: ClipPoses, t: int) -> tuple[list[tuple[int, Joints]], list[tuple[int, Joints]]]:
    """People and animals of frame t that are there, each with its index."""
    found: dict[str, list[tuple[int, Joints]]] = {WHOLEBODY.name: [], QUADRUPED.name: []}
    for skeleton in poses.figures:
        there = found[topology_of(skeleton).name]
        there += [(k, joints) for k, joints in enumerate(skeleton.joints[t]) if (joints[:, 2] > 0).any()]
    return found[WHOLEBODY.name], found[QUADRUPED.name]


def _rounded(joints: Joints) -> NDArray[Any]:
    """To four decimals, finer than any estimator sees."""
    return np.round(joints.astype(np.float64), 4)


def _flat(joints: Joints) -> list[float]:
    return [float(value) for value in _rounded(joints).ravel()]
