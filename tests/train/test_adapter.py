"""Adapters: the loss falls on what can be learnt, the network beneath stays as it was, and experts take turns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blocks import patch_vae, random_denoiser
from diptych.data.cache import Bucket
from diptych.data.canvases import LatentDraw
from diptych.media.image import read_image
from diptych.method.contrast import ContrastSettings
from diptych.method.diffusion import seeded
from diptych.method.incontext import opening
from diptych.models.adapters import LoraSettings
from diptych.models.mini import FACTS, DenoiserConfig, MiniBackbone, contract
from diptych.models.patches import PatchConfig
from diptych.train.adapter import Adapted, AdapterTask, NoiseSettings, adapt, latent_driver_gap, target_layers
from diptych.train.loop import Average, LoopSettings, train
from diptych.train.state import checkpoints

pytestmark = pytest.mark.filterwarnings("ignore")
AGREED = replace(contract(32 * 32), motion="pose", motion_fit="frame")
NOISE = NoiseSettings(spread=None, pure_share=0.5, floor=0.1, least_weighted=0.35)


def drawn(number, cells=(5, 2, 4)):
    g = torch.Generator().manual_seed(number)
    target = torch.randn(128, *cells, generator=g)
    return LatentDraw(target, target.roll(1, 1), opening(17, 5), "a cup jumps")


def task(targets="ff", batch=4, draws=4, **settings):
    torch.manual_seed(0)
    denoiser = random_denoiser(DenoiserConfig(heads=2, blocks=1, layers=1, text_width=16))
    backbone = MiniBackbone(patch_vae(PatchConfig(width=8, blocks=1)), denoiser, AGREED)
    denoiser.requires_grad_(False)
    adapt(backbone.networks, FACTS, targets, LoraSettings(rank=8), seed=0)
    made = [drawn(n) for n in range(draws)]
    bucket = Bucket(
        torch.stack([d.target for d in made]).half(),
        torch.stack([d.condition for d in made]).half(),
        torch.tensor([(17, 5, 0)] * draws),
        [d.prompt for d in made],
    )
    values = {"noise": NOISE, "held_out": tuple(made[:2]), "made_for": "test", **settings}
    return AdapterTask(
        module=Adapted(backbone, (denoiser,)), backbone=backbone, buckets={"one": bucket}, batch=batch, **values
    )


def descend(one, steps, rate):
    trained = [p for p in one.module.parameters() if p.requires_grad]
    optimizer, seen = torch.optim.AdamW(trained, lr=rate), []
    for step in range(steps):
        loss, _ = one.loss(one.module, step, seeded(0, step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(loss.item())
    return np.mean(seen[:10]), np.mean(seen[-10:])


def test_it_learns_a_handful_of_draws_and_leaves_the_network_alone():
    one = task()
    frozen = {name: p.clone() for name, p in one.module.named_parameters() if not p.requires_grad}
    first, last = descend(one, 100, 1e-2)
    assert last < 0.9 * first
    assert all(torch.equal(p, frozen[name]) for name, p in one.module.named_parameters() if name in frozen)


@pytest.mark.parametrize(
    ("targets", "wanted"), [("ff", r"\.ff\."), ("ff+attention", r"\.(ff|attn)\."), ("full", r"transformer|words")]
)
def test_what_learns_is_what_was_asked(targets, wanted):
    one = task(targets) if targets != "full" else None
    if one is None:
        denoiser = random_denoiser(DenoiserConfig(heads=2, blocks=1, layers=1, text_width=16)).requires_grad_(False)
        names = adapt((denoiser.transformer, denoiser.words), FACTS, "full", LoraSettings(), seed=0)
        assert len(names) == sum(p.requires_grad for p in denoiser.parameters())
        return
    names = [name for name, p in one.module.named_parameters() if p.requires_grad]
    import re

    assert all(re.search(wanted, name) and ".lora_" in name for name in names)
    assert not any("context" in name for name in names)
    assert len(names) == {"ff": 4, "ff+attention": 12}[targets]
    assert {p.dtype for p in one.module.parameters() if p.requires_grad} == {torch.float32}


def test_target_layers_are_alternatives_of_whole_names():
    assert target_layers(FACTS, "ff") == FACTS.feed_forward
    assert target_layers(FACTS, "ff+attention").startswith(FACTS.feed_forward + "|")


def test_the_same_step_has_the_same_loss_and_another_step_another():
    one = task()
    a, b, c = (one.loss(one.module, 0, seeded(0, step))[0].item() for step in (3, 3, 4))
    assert a == b != c


def test_the_loss_looks_where_the_contract_says():
    """Errors of the motion panel count on the whole canvas only."""
    one = task()

    class Wrong(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x, sigma, text):
            noisy = x[:, :128]
            out = torch.zeros_like(noisy)
            out[..., noisy.shape[-1] // 2 :] = 1000
            return out

    losses = {}
    for region in ("output", "canvas"):
        backbone = replace(one.backbone, contract=replace(AGREED, loss_region=region))
        losses[region] = replace(one, backbone=backbone).loss(Wrong(), 0, seeded(0))[0].item()
    assert losses["canvas"] > 1000 * losses["output"]


def test_losses_are_told_by_noise_level():
    numbers = [task(batch=8).loss(task(batch=8).module, n, seeded(0, n))[1] for n in range(3)]
    names = {name for one in numbers for name in one}
    assert names <= {f"loss_sigma_{q / 4:.2f}" for q in range(4)}
    assert len(names) > 1


def test_without_weight_wrong_conditions_change_no_bit():
    pure = NoiseSettings(spread=None, pure_share=1.0)
    plain, silent, asked = (
        task(batch=4, noise=pure, contrast=one)
        for one in (ContrastSettings(), ContrastSettings(kind="motion", margin=9.0), ContrastSettings(weight=0.5))
    )
    for step in range(3):
        a, b, c = (one.loss(one.module, step, seeded(0, step)) for one in (plain, silent, asked))
        assert a[0].item() == b[0].item()
        assert a[1] == b[1]
        # With it, the loss is the same and the term comes on top.
        assert c[0].item() == pytest.approx(a[0].item() + 0.5 * float(c[1]["contrast"]), rel=1e-5)
    assert plain.facts == silent.facts != asked.facts


@pytest.mark.parametrize("kind", ["motion", "identity"])
def test_the_term_makes_the_answer_hang_on_what_is_given(kind):
    """Descending along the difference that the term makes lowers it, and the loss does not pay for it."""
    pure = NoiseSettings(spread=None, pure_share=1.0)
    one = task(batch=4, noise=pure, contrast=ContrastSettings(weight=1.0, kind=kind, margin=0.5))
    plain = replace(one, contrast=ContrastSettings())

    def measured():
        with torch.no_grad():
            told = [one.loss(one.module, n, seeded(0, n)) for n in range(8)]
        terms = [numbers["contrast"] for _, numbers in told]
        return np.mean(terms), np.mean([loss.item() - term for (loss, _), term in zip(told, terms, strict=True)])

    before, paid = measured()
    optimizer = torch.optim.AdamW([p for p in one.module.parameters() if p.requires_grad], lr=1e-3)
    for step in range(24):
        with_term, without = (which.loss(which.module, step % 8, seeded(0, step % 8))[0] for which in (one, plain))
        (with_term - without).backward()
        optimizer.step()
        optimizer.zero_grad()
    after, now = measured()
    assert after < before
    assert now < 1.05 * paid


def test_experts_take_turns_by_step_and_all_samples_are_on_ones_side():
    one = task(batch=6, boundary=0.9, noise=NoiseSettings(spread=1.0))
    sides = []
    for step in range(60):
        sigma = one._sigmas(seeded(0, step), seeded(1, step))
        high = sigma >= 0.9
        assert high.all() or not high.any()
        assert sigma.min() > 0
        sides.append(bool(high[0]))
        # Whose turn it is does not depend on the part of the batch.
        assert bool((one._sigmas(seeded(7, step), seeded(1, step)) >= 0.9)[0]) == sides[-1]
    assert 0.1 < np.mean(sides) < 0.6


def test_a_preview_shows_driver_truth_and_result_and_scores_them(tmp_path):
    one = task()
    scores = one.preview(one.module, tmp_path / "p.png")
    assert 0 < scores["held_out_psnr_db"] < 40
    assert read_image(tmp_path / "p.png").shape[2] == 3
    assert latent_driver_gap(one.backbone, one.held_out[:1]) == 0


def test_checkpoints_hold_what_is_trained_and_nothing_else(tmp_path):
    one = task()
    settings = LoopSettings(steps=3, learning_rate=1e-3, checkpoint_every=3, log_every=1, precision="no")
    module, steps = train(one, settings, tmp_path, quiet=True)
    assert steps == 3
    assert module is one.module
    kept = sum(p.numel() for p in module.parameters() if p.requires_grad)
    size = checkpoints(tmp_path)[-1].stat().st_size
    assert size < 4 * (4 * kept) + 30_000  # weights, average and two moments
    assert size < 4 * sum(p.numel() for p in module.parameters())


def test_a_resumed_run_goes_on_to_the_last_digit(tmp_path):
    settings = LoopSettings(steps=6, learning_rate=1e-3, checkpoint_every=3, log_every=1, ema=4, precision="no")
    whole, _ = train(task(), settings, tmp_path / "whole", quiet=True)
    train(task(), replace(settings, steps=3, decay=0.0), tmp_path / "parts", quiet=True)
    # A rate that falls depends on the number of steps; so both have a plateau until then.
    resumed, _ = train(task(), replace(settings, decay=0.0), tmp_path / "parts", quiet=True)
    plain, _ = train(task(), replace(settings, decay=0.0), tmp_path / "plain", quiet=True)
    for a, b in zip(plain.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert any(not torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_averages_lie_in_the_weights_place_for_as_long_as_is_asked():
    one = task()
    average = Average(one.module)
    name = next(iter(average.weights))
    weight = dict(one.module.named_parameters())[name]
    with torch.no_grad():
        weight.add_(1.0)
    moved = weight.clone()
    with average.in_place() as module:
        assert module is one.module
        assert not module.training
        assert torch.equal(weight, average.weights[name])
    assert torch.equal(weight, moved)
    assert one.module.training
    assert set(average.weights) == {n for n, p in one.module.named_parameters() if p.requires_grad}
