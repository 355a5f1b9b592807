"""A contract on disk: what it says comes back, what it does not know is left out, and nonsense is refused."""

import dataclasses
import json

import pytest

from diptych.method.contract import Contract, mismatches
from diptych.models.headers import parsed
from diptych.types import InputError

PLAIN = Contract(
    backbone="wan2.2",
    motion="rgb",
    layout="full",
    empty="pixels",
    mask_rule="all-frames",
    lead_in=5,
    history=4,
    window_frames=17,
    panel_area=4096,
    panel_multiple=16,
    fps=(8.0, 32.0),
    sigma_shift=3.0,
    loss_region="canvas",
    text=True,
)
TWO = dataclasses.replace(PLAIN, experts=("transformer", "transformer_2"), boundary=0.9)


def test_a_model_of_one_network_says_what_it_said_before_there_were_two():
    """Caches and weights are known by this line, so it may not change."""
    assert PLAIN.to_json() == (
        '{"backbone": "wan2.2", "empty": "pixels", "fps": [8.0, 32.0], "history": 4, "layout": "full", "lead_in": 5, '
        '"loss_region": "canvas", "mask_rule": "all-frames", "motion": "rgb", "motion_fit": "frame", '
        '"panel_area": 4096, "panel_multiple": 16, "rank": null, "sigma_shift": 3.0, "targets": null, "text": true, '
        '"version": 1, "window_frames": 17}'
    )


def test_experts_and_their_boundary_are_said_where_there_are_some():
    said = json.loads(TWO.to_json())
    assert said["experts"] == ["transformer", "transformer_2"]
    assert said["boundary"] == 0.9
    assert mismatches(PLAIN, TWO) == [
        "experts is None where ('transformer', 'transformer_2') is needed",
        "boundary is None where 0.9 is needed",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("experts", ()),
        ("experts", ("a", "a")),
        ("boundary", 0.0),
        ("boundary", 1.0),
        ("boundary", float("nan")),
        ("auxiliary", "flow"),
    ],
)
def test_what_no_model_can_have_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(PLAIN, **{name: value})


DEEP = dataclasses.replace(PLAIN, auxiliary="depth")


def test_what_stands_beside_the_motion_is_said_where_something_does():
    assert (PLAIN.panels, DEEP.panels) == (2, 3)
    assert "auxiliary" not in json.loads(PLAIN.to_json())
    assert json.loads(DEEP.to_json()) == {**json.loads(PLAIN.to_json()), "auxiliary": "depth"}
    assert mismatches(DEEP, PLAIN) == ["auxiliary is 'depth' where 'none' is needed"]


def test_a_header_says_it_again_and_what_nobody_knows_is_refused(tmp_path):
    for contract in (PLAIN, DEEP):
        assert parsed(Contract, contract.to_json(), tmp_path) == contract
    with pytest.raises(InputError, match="auxiliary"):
        parsed(Contract, DEEP.to_json().replace("depth", "flow"), tmp_path)
