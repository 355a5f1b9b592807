"""Training and sampling hand the network the same tensors for the same sample: the input is written once."""

import dataclasses

import numpy as np
import pytest
import torch

from blocks import Blocks, plain_blocks
from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.data.canvases import collate, encode_draw
from diptych.data.draws import LAYERS, Draw
from diptych.method.incontext import WindowPlan, model_input


@pytest.mark.parametrize("auxiliary", ["none", "depth"])
@pytest.mark.parametrize("index", [0, 1])
def test_training_and_sampling_hand_over_identical_tensors(index, auxiliary):
    backbone = Blocks()
    backbone.contract = contract = dataclasses.replace(backbone.contract, auxiliary=auxiliary)
    session = Session(backbone, SamplerSettings(steps=1))
    reference, driving = plain_blocks(1)[0], plain_blocks(24, seed=1)
    beside = None if auxiliary == "none" else plain_blocks(24, seed=2)
    made = np.concatenate(list(session.animate(reference, driving, "a cat", auxiliary=beside)))
    sampled = backbone.seen[index]

    span = WindowPlan(contract.window_frames, contract.lead_in, contract.history).span(index)
    draw = Draw(
        window=span.window,
        reference=reference,
        motion=driving[span.motion_start : span.new_stop],
        output=np.repeat(reference[None], span.window.frames, axis=0),
        history=made[span.motion_start : span.new_start] if span.window.history else None,
        prompt="a cat",
        figures=np.zeros(
            (LAYERS, span.window.frames, reference.shape[0], contract.panels * reference.shape[1]), "uint8"
        ),
        auxiliary=None if beside is None else beside[span.motion_start : span.new_stop],
    )
    latent = encode_draw(draw, backbone.encode_canvas, backbone.facts.empty)
    _, condition = collate([latent], contract.panels)
    assert sampled.shape[-1] == contract.panels * reference.shape[1] // 16
    trained = model_input(sampled[:, :12], condition)
    assert torch.equal(trained, sampled)
    # And the check can fail: another motion, or another picture beside it, is another input.
    for name in ("motion", "auxiliary") if draw.auxiliary is not None else ("motion",):
        turned = dataclasses.replace(draw, **{name: getattr(draw, name)[::-1].copy()})
        other = encode_draw(turned, backbone.encode_canvas, backbone.facts.empty)
        assert not torch.equal(model_input(sampled[:, :12], collate([other], contract.panels)[1]), sampled)
