"""Laws of the flow: ends of the path, exact inverses, exact integration of a straight line."""

import itertools

import pytest
import torch

from diptych.method import diffusion


def pair(shape=(3, 4, 5)):
    g = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=g), torch.randn(shape, generator=g)


def test_path_ends_at_data_and_at_noise():
    x0, noise = pair()
    assert torch.equal(diffusion.noised(x0, noise, torch.zeros(3)), x0)
    assert torch.equal(diffusion.noised(x0, noise, torch.ones(3)), noise)


def test_each_sample_has_its_own_sigma():
    x0, noise = pair()
    sigma = torch.tensor([0.0, 0.5, 1.0])
    x = diffusion.noised(x0, noise, sigma)
    assert torch.equal(x[0], x0[0])
    assert torch.allclose(x[1], (x0[1] + noise[1]) / 2)
    assert torch.equal(x[2], noise[2])


def test_velocity_is_the_derivative_of_the_path():
    x0, noise = (x.double() for x in pair())
    lo, hi = torch.full((3,), 0.3, dtype=torch.float64), torch.full((3,), 0.3001, dtype=torch.float64)
    slope = (diffusion.noised(x0, noise, hi) - diffusion.noised(x0, noise, lo)) / 0.0001
    assert torch.allclose(slope, diffusion.velocity(x0, noise), atol=1e-8)


def test_clean_from_velocity_inverts_noised():
    x0, noise = pair()
    sigma = torch.tensor([0.1, 0.6, 0.9])
    x = diffusion.noised(x0, noise, sigma)
    assert torch.allclose(diffusion.clean_from_velocity(x, diffusion.velocity(x0, noise), sigma), x0, atol=1e-6)


def test_velocity_to_inverts_clean_from_velocity():
    x0, noise = pair()
    sigma = torch.tensor([0.1, 0.6, 1.0])
    x = diffusion.noised(x0, noise, sigma)
    assert torch.allclose(diffusion.velocity_to(x0, x, sigma), diffusion.velocity(x0, noise), atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
@pytest.mark.parametrize("shift", [1.0, 3.0, 7.0])
def test_euler_along_any_schedule_reaches_the_data_where_velocity_is_exact(steps, shift):
    x0, noise = pair()
    v = diffusion.velocity(x0, noise)
    sigmas = diffusion.sigma_schedule(steps, shift)
    x = noise
    for sigma, following in itertools.pairwise(sigmas):
        x = diffusion.euler_step(x, v, sigma, following)
    assert torch.allclose(x, x0, atol=1e-5)


def test_schedule_falls_strictly_from_one_to_zero_and_shift_moves_it_up():
    plain, high = diffusion.sigma_schedule(8), diffusion.sigma_schedule(8, shift=5.0)
    for sigmas in (plain, high):
        assert sigmas[0] == 1
        assert sigmas[-1] == 0
        assert (sigmas.diff() < 0).all()
    assert torch.allclose(plain, torch.linspace(1, 0, 9))
    assert (high[1:-1] > plain[1:-1]).all()


def test_shifts_compose_by_multiplication():
    s = torch.linspace(0, 1, 11)
    assert torch.allclose(diffusion.shifted(diffusion.shifted(s, 2.0), 3.0), diffusion.shifted(s, 6.0), atol=1e-6)


def test_no_steps_is_refused():
    with pytest.raises(ValueError, match="at least one step"):
        diffusion.sigma_schedule(0)


@pytest.mark.parametrize("spread", [None, 1.0])
def test_training_sigmas_are_inside_the_path_and_follow_the_generator(spread):
    def draw(seed):
        return diffusion.draw_sigmas(4096, torch.Generator().manual_seed(seed), shift=1.0, spread=spread)

    sigma = draw(0)
    assert ((sigma > 0) & (sigma < 1)).all()
    assert torch.equal(sigma, draw(0))
    assert not torch.equal(sigma, draw(1))
    assert sigma.mean().item() == pytest.approx(0.5, abs=0.02)


def test_guidance_of_one_is_the_prompted_prediction_and_of_zero_the_plain_one():
    a, b = pair()
    assert torch.allclose(diffusion.guided(a, b, 1.0), a, atol=1e-6)
    assert torch.equal(diffusion.guided(a, b, 0.0), b)
