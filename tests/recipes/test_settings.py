"""Settings by name: what exists is replaced, what does not is refused with the nearest name."""

import pytest

from diptych.recipes.mini import mini_cpu
from diptych.recipes.settings import names, with_overrides
from diptych.types import InputError


def test_dotted_names_reach_every_setting():
    recipe = mini_cpu()
    assert {"draws", "vae.width", "denoiser_loop.muon_learning_rate", "clips"} <= set(names(recipe))
    changed = with_overrides(
        recipe, [("draws", "128"), ("vae.width", "16"), ("denoiser_loop.muon_learning_rate", "null")]
    )
    assert (changed.draws, changed.vae.width) == (128, 16)
    assert changed.denoiser_loop.muon_learning_rate is None
    assert changed.vae_loop == recipe.vae_loop


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("denoiser_loop.stesp", "5", "did you mean denoiser_loop.steps"),
        ("drawz", "5", "did you mean draws"),
        ("draws", "many", "integer"),
        ("vae", "5", "not one setting"),
        ("draws.more", "5", "not one setting"),
    ],
)
def test_what_does_not_exist_or_fit_is_refused(name, value, says):
    with pytest.raises(InputError, match=says):
        with_overrides(mini_cpu(), [(name, value)])
