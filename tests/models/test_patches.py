"""The patch code: exact where it may be, best among linear codes, and blind beyond its own patch."""

import pytest
import torch

from diptych.models.patches import LinearCode, Moments, PatchConfig, PatchVae, from_patches, to_patches


def clips(batch=2, frames=9, seed=0, rank=None):
    g = torch.Generator().manual_seed(seed)
    if rank is None:
        return torch.rand(batch, 3, frames, 32, 48, generator=g) * 2 - 1
    # Clips that are mixtures of a few fixed ones: few directions, so a short code can be exact.
    fixed = torch.rand(rank, 3, frames, 32, 48, generator=torch.Generator().manual_seed(99)) * 2 - 1
    return torch.einsum("br,rcthw->bcthw", torch.randn(batch, rank, generator=g), fixed) / rank


@pytest.fixture(scope="module")
def vae():
    made = PatchVae(PatchConfig(channels=16, width=8, blocks=1))
    made.fit(clips(4, seed=s, rank=1) for s in range(6))
    return made


def test_patches_round_trip():
    pixels = clips()
    first, rest = to_patches(pixels)
    assert first.shape == (2, 1, 2, 3, 768)
    assert rest.shape == (2, 2, 2, 3, 3072)
    assert torch.equal(from_patches(first, rest), pixels)


def test_a_code_as_long_as_the_worlds_directions_is_exact(vae):
    unseen = clips(3, seed=77, rank=1)
    assert torch.allclose(vae.decode_linear(vae.encode(unseen)), unseen, atol=2e-3)


def test_the_mending_network_starts_as_nothing(vae):
    codes = vae.encode(clips())
    assert torch.equal(vae.decode(codes), vae.decode_linear(codes))


def test_encoding_what_was_decoded_changes_nothing(vae):
    codes = vae.encode(clips())
    assert torch.allclose(vae.encode(vae.decode_linear(codes)), codes, atol=1e-3)


def test_a_cell_of_the_code_knows_its_own_patch_only(vae):
    pixels, changed = clips(1), clips(1)
    changed[:, :, 5:, :16, :16] = 0
    differs = (vae.encode(pixels) - vae.encode(changed)).abs().amax(dim=(0, 1)) > 1e-6
    assert differs.nonzero().tolist() == [[2, 0, 0]]


def test_components_are_orthonormal_and_ordered(vae):
    basis = vae.rest.basis
    assert torch.allclose(basis.T @ basis, torch.eye(16), atol=1e-4)
    assert (vae.rest.scale.diff() <= 1e-6).all()


@pytest.mark.parametrize("size", [40, 600])
def test_components_are_those_of_a_full_decomposition(size):
    """Of vectors whose variances fall as slowly as those of patches: the 128th is twice the 192nd."""
    g = torch.Generator().manual_seed(1)
    turn = torch.linalg.qr(torch.randn(size, size, generator=g, dtype=torch.float64)).Q
    variances = torch.arange(1, size + 1, dtype=torch.float64) ** -1.7
    moments, code = Moments(size), LinearCode(size, min(size, 128))
    moments.add((torch.randn(4 * size, size, generator=g, dtype=torch.float64) * variances.sqrt() @ turn).float())
    code.fit(moments)
    _, covariance = moments.mean_and_covariance()
    best = torch.linalg.eigvalsh(covariance).flip(0)[: len(code.scale)]
    basis = code.basis.double()
    kept = torch.einsum("nk,nm,mk->k", basis, covariance, basis)
    assert float(kept.sum() / best.sum()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(kept[:100], best[:100], rtol=1e-4)


def test_fitting_leaves_the_generator_alone():
    made = PatchVae(PatchConfig(channels=16, width=8, blocks=1))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    made.fit([clips(1)])
    assert torch.equal(torch.rand(3), expected)


def test_moments_are_mean_and_covariance():
    vectors = torch.randn(500, 5, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 6) + 3
    moments = Moments(5)
    for part in vectors.split(100):
        moments.add(part)
    mean, covariance = moments.mean_and_covariance()
    assert torch.allclose(mean.float(), vectors.mean(0), atol=1e-4)
    assert torch.allclose(covariance.float(), torch.cov(vectors.T, correction=0), atol=1e-2)
