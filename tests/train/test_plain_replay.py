"""What cannot be recorded is run as it is; for that no card is needed."""

import torch
from torch import nn

from diptych.train.replay import Replayed


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x, text):
        return self.weight * x + text["features"]


def test_inputs_that_are_no_tensors_are_run_plain_and_learn():
    module = Named()
    made = Replayed(module)(torch.ones(3), {"features": torch.ones(3)})
    made.sum().backward()
    assert made.tolist() == [2, 2, 2]
    assert module.weight.grad == 3


def test_a_recording_that_fails_is_told_and_run_plain(monkeypatch, capsys):
    def refuses(*args, **kwargs):
        raise RuntimeError("capture is not permitted here\nand a second line")

    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "memory")
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", refuses)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    replayed = Replayed(nn.Linear(4, 2))
    for _ in range(2):
        assert replayed(torch.ones(3, 4)).shape == (3, 2)
    assert replayed(torch.ones(5, 4)).shape == (5, 2)
    assert capsys.readouterr().err.splitlines() == ["Not recorded, so slower: capture is not permitted here"] * 2
