"""Whom a motion is given to, what is kept, and how the roles are turned round."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.method.bootstrap import (
    FRAMINGS,
    STEPS,
    Candidate,
    Cast,
    Decision,
    KeepRule,
    Shown,
    fates,
    kind_by_looks,
    reversed_triplet,
    shown_by_poses,
)
from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.puppets.footage import draw_footage
from diptych.puppets.poses import pose_of

KINDS = ("person", "animal", "other", None)
SHOWN = st.builds(
    Shown,
    st.sampled_from(KINDS),
    st.sampled_from((*FRAMINGS, None)),
    st.one_of(st.none(), st.integers(1, 3)),
    st.one_of(st.none(), st.floats(0, 1)),
)
CANDIDATES = st.lists(SHOWN, min_size=0, max_size=12).map(
    lambda all_shown: [
        Candidate(f"{i}", frozenset({f"who:{i // 2}", f"bytes:{i}"}), one) for i, one in enumerate(all_shown)
    ]
)
PERSON = Shown("person", "full", 1, 0.8)


def test_who_agrees_in_everything_is_chosen_and_each_step_gives_up_what_it_says():
    odd = {
        "all fits": PERSON,
        "any size": replace(PERSON, share=0.3),
        "any kind": replace(PERSON, kind="other"),
        "any framing": replace(PERSON, framing="face"),
        "anybody": replace(PERSON, figures=2),
    }
    cast = Cast([Candidate(step, frozenset(), shown) for step, shown in odd.items()], same_kind=1.0)
    chosen = cast.choose(PERSON, (), [0], 5)
    assert [(one.name, one.step) for one in chosen] == [(step, step) for step in STEPS]


@given(CANDIDATES, SHOWN, st.sets(st.sampled_from([f"who:{i}" for i in range(6)])), st.integers(0, 9))
def test_laws_of_the_choice(candidates, clip, own, seed):
    cast = Cast(candidates)
    chosen = cast.choose(clip, own, [seed], 20)
    by_name = {one.name: one for one in candidates}
    assert {one.name for one in chosen} == {c.name for c in candidates if not own & c.identities}  # never its own
    assert len({one.name for one in chosen}) == len(chosen)  # nobody twice
    assert cast.choose(clip, own, [seed], 3) == chosen[:3]  # more never changes the first
    assert Cast(candidates[::-1]).choose(clip, own, [seed], 20) == chosen  # nor does the order of files
    for one in chosen:
        shown = by_name[one.name].shown
        if STEPS.index(one.step) < STEPS.index("anybody") and clip.figures is not None:
            assert shown.figures == clip.figures
        if STEPS.index(one.step) < STEPS.index("any framing") and clip.framing is not None:
            assert shown.framing == clip.framing


def test_the_seed_decides_among_those_that_fit_and_other_kinds_get_their_share():
    shown = [PERSON] * 10 + [replace(PERSON, kind="animal")] * 10
    cast = Cast([Candidate(f"{i:02d}", frozenset(), one) for i, one in enumerate(shown)], same_kind=0.7)
    first = Counter(int(cast.choose(PERSON, (), [seed], 1)[0].name) for seed in range(1000))
    assert len(first) == 20
    assert 0.65 < sum(count for name, count in first.items() if name < 10) / 1000 < 0.75


def test_what_nobody_knows_of_a_picture_fits_once_it_is_given_up():
    cast = Cast([Candidate("unknown", frozenset(), Shown())])
    assert cast.choose(PERSON, (), [0], 1)[0].step == "anybody"
    assert cast.choose(Shown(), (), [0], 1)[0].step == "all fits"


def test_two_of_one_name_are_refused():
    with pytest.raises(ValueError, match="one name"):
        Cast([Candidate("a", frozenset(), PERSON), Candidate("a", frozenset(), PERSON)])


# --- who is shown ---------------------------------------------------------------------------------------------------


def test_skeletons_tell_kind_framing_and_number_of_the_made_up_world():
    right = Counter()
    for seed in range(60):
        footage = draw_footage(seed)
        size = (round(96 * footage.aspect**0.5), round(96 / footage.aspect**0.5))
        rendered = footage.render(np.arange(6) / 6, *size)
        shown = shown_by_poses(pose_of(rendered.skeleton, footage.rigs, within=size), *size)
        kind = "person" if footage.rigs[0] == "biped" else "animal"
        right["kind"] += shown.kind == kind
        right["figures"] += shown.figures == len(footage.rigs)
        right["framing"] += shown.framing == footage.scene.camera.framing
    assert right["kind"] >= 58
    assert right["figures"] >= 55
    assert right["framing"] >= 50


def test_nobody_and_who_is_seldom_there_tell_nothing():
    assert shown_by_poses((), 10, 10) == Shown()
    seldom = np.zeros((10, 1, len(WHOLEBODY.joints), 3), np.float32)
    seldom[:3] = (5, 5, 1)
    assert shown_by_poses((WHOLEBODY.skeleton(seldom),), 10, 10) == Shown()
    outside = np.full((4, 1, len(QUADRUPED.joints), 3), (50, 5, 1), np.float32)
    assert shown_by_poses((QUADRUPED.skeleton(outside),), 10, 10) == Shown()


@pytest.mark.parametrize(
    ("looks", "kind"),
    [("a grey cat", "animal"), ("a girl in red", "person"), ("a blue teapot", "other"), ("two men", None), ("", None)],
)
def test_words_tell_a_kind(looks, kind):
    assert kind_by_looks(looks) == kind


# --- what is kept ---------------------------------------------------------------------------------------------------

YES, NO = Decision(True, "human", 2), Decision(False, "human", 1)


def test_first_the_judge_and_then_people():
    averages = {"good": 4.6, "edge": 4.5, "bad": 1.0, "disliked": 5.0, "unseen": 4.9}
    found = fates(["good", "edge", "bad", "disliked", "unseen", "new"], averages, {
        "good": YES, "edge": YES, "bad": YES, "disliked": NO
    }, KeepRule())  # fmt: skip
    assert found == {
        "good": "kept", "edge": "low score", "bad": "low score", "disliked": "turned down", "unseen": "no verdict",
        "new": "not judged",
    }  # fmt: skip


def test_without_review_what_nobody_saw_is_kept_and_a_no_still_counts():
    found = fates(["a", "b"], {"a": 5.0, "b": 5.0}, {"b": NO}, KeepRule(review=False))
    assert found == {"a": "kept", "b": "turned down"}


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, 4.5, 5.0]), min_size=1, max_size=20), st.floats(0.1, 100))
def test_a_percentile_keeps_the_best_and_equals_fare_alike(averages, percentile):
    named = {f"{i}": average for i, average in enumerate(averages)}
    found = fates(list(named), named, {}, KeepRule(percentile=percentile, review=False))
    kept = [named[name] for name, fate in found.items() if fate == "kept"]
    lost = [named[name] for name, fate in found.items() if fate == "low score"]
    assert kept
    assert not lost or min(kept) > max(lost)
    wanted = max(1, int(len(averages) * percentile / 100 + 0.5))
    assert len([a for a in kept if a > min(kept)]) < wanted <= len(kept)


@pytest.mark.parametrize("percentile", [0, -1, 100.5])
def test_no_such_percentile(percentile):
    with pytest.raises(ValueError, match="percentile"):
        KeepRule(percentile=percentile)


# --- what is learned ------------------------------------------------------------------------------------------------


def test_the_made_video_drives_and_the_footage_is_the_answer():
    rng = np.random.default_rng(0)
    made, source = (rng.integers(0, 256, (5, h, 8, 3), dtype=np.uint8) for h in (6, 10))
    triplet = reversed_triplet(made, source, "words")
    assert triplet.target is source
    assert triplet.sample.motion is made
    assert (triplet.sample.reference == source[0]).all()
    assert triplet.sample.prompt == "words"
    with pytest.raises(ValueError, match="as many"):
        reversed_triplet(made[:4], source)
