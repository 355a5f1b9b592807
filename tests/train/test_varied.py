"""Changes made in latents are those made in pixels, figures and all."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blocks import bucket_of, patch_vae
from diptych.data.canvases import collate, encode_draw
from diptych.data.draws import LAYERS, draw
from diptych.method.incontext import split
from diptych.method.pixels import to_pixels
from diptych.models.mini import FACTS, FIGURES, contract
from diptych.models.patches import COLOURS, PatchConfig, PatchVae
from diptych.models.words import tokens
from diptych.train.rows import Rows
from diptych.train.shelves import Shelves
from diptych.train.varied import Varied

AGREED = contract(32 * 32)


@pytest.fixture(scope="module")
def drawn():
    return [d for d in (draw(n, AGREED) for n in range(60)) if d.reference.shape == (32, 32, 3)][:8]


@pytest.fixture(scope="module")
def vae(drawn):
    made = PatchVae(PatchConfig(channels=64, width=8, blocks=1))
    made.fit((to_pixels(one) for d in drawn for one in (d.output, d.motion[:9])), varied=True)
    return made


def encoded(vae, draws):
    return [encode_draw(d, vae.encode, FACTS.empty) for d in draws]


def test_rows_are_what_draws_say(vae, drawn):
    latent = encoded(vae, drawn)
    rows = Rows.of(bucket_of(latent), torch.device("cpu"), words=24, entries=1024)
    chosen = [5, 0, 5]
    batch = rows.take(torch.tensor(chosen))
    target, condition = collate([bucket_of(latent).take([i])[0] for i in chosen])
    assert torch.equal(batch.target, target)
    assert torch.equal(batch.condition.latents, condition.latents)
    assert torch.equal(batch.condition.mask, condition.mask)
    assert torch.equal(batch.figures, torch.stack([latent[i].figures for i in chosen]))
    assert torch.equal(batch.text[0], batch.text[2])


def test_shapes_are_drawn_by_how_many_draws_they_have(vae, drawn):
    many = bucket_of(encoded(vae, drawn))
    few = replace(many, target=many.target[:1] + 9, windows=many.windows[:1], prompts=many.prompts[:1])
    shelves, generator = Shelves({"few": few, "many": many}), torch.Generator().manual_seed(0)
    drawn_few = sum(float(shelves.draw(1, generator, torch.device("cpu")).target.mean()) > 4 for _ in range(300))
    assert 15 < drawn_few < 60  # one in nine
    assert shelves.facts == {"draws": 9}
    assert replace(shelves, varied=Varied.of(vae)).facts == {"draws": 9, "varied": True}


def seen_as(draw, mirrored, character, driver):
    """The draw as it had been drawn so, in pixels; limbs as whoever looks at it would name them."""

    def turned(frames, colours):
        if frames is None:
            return None
        frames = frames[..., list(COLOURS[colours])]
        return np.ascontiguousarray(frames[..., ::-1, :]) if mirrored else frames

    figures = draw.figures
    if mirrored:
        other = [0, 1, 2, 5, 6, 3, 4, 9, 10, 7, 8, 11]  # head and trunk, arms, legs, tail
        left, right = np.split(figures[other], 2, axis=-1)
        figures = np.concatenate([left[..., ::-1], right[..., ::-1]], axis=-1)
    return replace(
        draw,
        reference=turned(draw.reference, character),
        output=turned(draw.output, character),
        history=turned(draw.history, character),
        motion=turned(draw.motion, driver),
        figures=np.ascontiguousarray(figures),
    )


def test_a_change_in_latents_is_the_change_in_pixels(vae, drawn, monkeypatch):
    varied, count = Varied.of(vae), len(drawn)
    latent = encoded(vae, drawn)
    batch = Rows.of(bucket_of(latent), torch.device("cpu")).take(torch.arange(count))
    mirrored = torch.arange(count) % 2
    colours = torch.stack([torch.arange(count) % 6, (torch.arange(count) + 2) % 6])
    monkeypatch.setattr(torch, "rand", lambda *a, **k: 1.0 - mirrored.float())
    monkeypatch.setattr(torch, "randint", lambda *a, **k: colours + 4)
    changed = varied(batch, torch.Generator())
    monkeypatch.undo()
    others = encoded(vae, [seen_as(d, bool(mirrored[i]), *colours[:, i].tolist()) for i, d in enumerate(drawn)])
    target, condition = collate(others)
    for ours, wanted in ((changed.target, target), (changed.condition.latents, condition.latents)):
        plain = batch.target if wanted is target else batch.condition.latents
        assert (ours - wanted).square().mean() < 0.01 * (plain - wanted).square().mean()
    assert (changed.condition.latents[:, :, :, :, :1] == 0).all() == (condition.latents[:, :, :, :, :1] == 0).all()
    assert torch.equal(changed.figures, torch.stack([d.figures for d in others]))
    assert changed.figures.shape[1] == LAYERS * FIGURES
    assert all(torch.equal(a, b) for a, b in zip(split(changed.condition.mask), split(condition.mask), strict=True))


def test_prompts_say_what_is_seen(vae):
    varied = Varied.of(vae, 1024)
    text = tokens(["a red fish darts to the left", "a red fish darts to the left"], 8, 1024)
    seen = varied._retold(text, torch.tensor([True, False]), torch.tensor([True, False]))
    wanted = tokens(["a red fish darts to the right"], 8, 1024)[0]
    assert torch.equal(seen[0], wanted)
    assert seen[1].tolist() == [0 if i == 1 else int(word) for i, word in enumerate(text[1])]


def test_a_code_that_was_not_fitted_for_changes_is_refused():
    with pytest.raises(ValueError, match="not fitted"):
        Varied.of(patch_vae(PatchConfig(channels=16, width=8, blocks=1)))
