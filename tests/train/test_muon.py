from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from diptych.train import muon
from diptych.train.muon import FlatMuon, orthogonalised

SHAPES = ((12, 40), (40, 12), (8, 3, 3, 3), (12, 40))


def moved(make, shapes):
    """How far three steps with the same gradients move weights of some shapes."""
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(*shape)) for shape in shapes]
    start = [weight.detach().clone() for weight in weights]
    optimizer = make(weights)
    for _ in range(3):
        for weight in weights:
            weight.grad = torch.randn(weight.shape)
        optimizer.step()
        optimizer.zero_grad()
    return [(weight.detach() - first).flatten() for weight, first in zip(weights, start, strict=True)]


@pytest.mark.parametrize("half", [False, True])
def test_steps_are_the_librarys_own(monkeypatch, half):
    monkeypatch.setattr(muon, "halves", lambda precision, device: half)
    flat = [(shape[0], math.prod(shape[1:])) for shape in SHAPES]
    ours = moved(lambda weights: FlatMuon(weights, lr=0.1, weight_decay=0.01), SHAPES)
    theirs = moved(lambda weights: torch.optim.Muon(weights, lr=0.1, momentum=0.95, weight_decay=0.01), flat)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.cosine_similarity(one, other, dim=0) > 0.999
        assert one.norm() == pytest.approx(float(other.norm()), rel=0.01)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_singular_values_come_near_one(shape):
    torch.manual_seed(1)
    turned = orthogonalised(torch.randn(1, *shape), (3.4445, -4.7750, 2.0315), 5, 1e-7)
    values = torch.linalg.svdvals(turned)
    assert turned.shape == (1, *shape)
    assert values.min() > 0.5
    assert values.max() < 1.3
