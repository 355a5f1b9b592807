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


@pytest.mark.parametrize("index", [0, 1])
def test_training_and_sampling_hand_over_identical_tensors(index):
    backbone = Blocks()
    session = Session(backbone, SamplerSettings(steps=1))
    reference, driving = plain_blocks(1)[0], plain_blocks(24, seed=1)
    made = np.concatenate(list(session.animate(reference, driving, "a cat")))
    sampled = backbone.seen[index]

    contract = backbone.contract
    span = WindowPlan(contract.window_frames, contract.lead_in, contract.history).span(index)
    draw = Draw(
        window=span.window,
        reference=reference,
        motion=driving[span.motion_start : span.new_stop],
        output=np.repeat(reference[None], span.window.frames, axis=0),
        history=made[span.motion_start : span.new_start] if span.window.history else None,
        prompt="a cat",
        figures=np.zeros((LAYERS, span.window.frames, reference.shape[0], 2 * reference.shape[1]), np.uint8),
    )
    latent = encode_draw(draw, backbone.encode_canvas, backbone.facts.empty)
    _, condition = collate([latent])
    trained = model_input(sampled[:, :12], condition)
    assert torch.equal(trained, sampled)
    # And the check can fail: another history or motion is another input.
    other = encode_draw(
        dataclasses.replace(draw, motion=draw.motion[::-1].copy()), backbone.encode_canvas, backbone.facts.empty
    )
    assert not torch.equal(model_input(sampled[:, :12], collate([other])[1]), sampled)
