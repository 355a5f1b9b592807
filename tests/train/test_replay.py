"""Recorded kernels do what the module does, for every shape; runs where a CUDA device is."""

import pytest
import torch
from torch import nn

from blocks import random_denoiser
from diptych.data.draws import LAYERS
from diptych.models.mini import DenoiserConfig
from diptych.train.muon import FlatMuon
from diptych.train.replay import Replayed

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.filterwarnings("ignore"),
]


class Halved(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
            return tuple(one.float() for one in self.module(*inputs))


def asked(size, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 257, 3, *size, generator=g)
    x[:, -1] = (x[:, -1] > 0).float()
    rows = torch.randint(1024, (2, 24), generator=g)
    return [one.cuda() for one in (x, torch.rand(2, generator=g), rows)]


def test_replays_are_the_modules_own_steps():
    config = DenoiserConfig(heads=2, blocks=2, layers=LAYERS, sight=8)
    plain, recorded = (random_denoiser(config).cuda().train() for _ in range(2))
    recorded.load_state_dict(plain.state_dict())
    for one in (plain, recorded):
        one.sight.requires_grad_(False)
    replayed = Replayed(Halved(recorded))
    losses = [[], []]
    for said, module, runs in zip(losses, (plain, recorded), (Halved(plain), replayed), strict=True):
        matrices = [p for n, p in module.named_parameters() if "transformer_blocks." in n and p.ndim == 2]
        optimizer = FlatMuon(matrices, 0.02, 0.0)
        for step in range(12):
            v, figures = runs(*asked(((2, 4), (4, 4))[step % 2], step % 4))
            loss = v.square().mean() + figures.square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            said.append(loss.detach())
    assert len(replayed._recorded) == 2
    assert all(one is not replayed.module for one in replayed._recorded.values())
    ours, theirs = (torch.stack(said).cpu() for said in losses)
    assert (ours / theirs - 1).abs().max() < 0.02
    assert theirs[-1] < theirs[3]
