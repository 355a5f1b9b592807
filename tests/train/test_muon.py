from __future__ import annotations

import pytest
import torch
from torch import nn

from diptych.train import muon
from diptych.train.muon import FlatMuon, orthogonalised


def steps(monkeypatch, native):
    monkeypatch.setattr(muon, "halves", lambda precision, device: native)
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(*shape)) for shape in ((12, 40), (40, 12), (8, 3, 3, 3))]
    start = [weight.detach().clone() for weight in weights]
    optimizer = FlatMuon(weights, lr=0.1, weight_decay=0.01)
    for _ in range(3):
        for weight in weights:
            weight.grad = torch.randn(weight.shape)
        optimizer.step()
        optimizer.zero_grad()
    return [(weight.detach() - first).flatten() for weight, first in zip(weights, start, strict=True)]


def test_steps_in_full_precision_are_the_librarys_own(monkeypatch):
    for ours, theirs in zip(steps(monkeypatch, False), steps(monkeypatch, True), strict=True):
        assert torch.cosine_similarity(ours, theirs, dim=0) > 0.999
        assert ours.norm() == pytest.approx(float(theirs.norm()), rel=0.01)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_singular_values_come_near_one(shape):
    torch.manual_seed(1)
    turned = orthogonalised(torch.randn(shape), (3.4445, -4.7750, 2.0315), 5, 1e-7)
    values = torch.linalg.svdvals(turned)
    assert turned.shape == shape
    assert values.min() > 0.5
    assert values.max() < 1.3
