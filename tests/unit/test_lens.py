"""Lenses: the last layer's is the model itself, and a map is what least squares says."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from test_interventions import IDS, N_DIMS, N_LAYERS, make

from layerwise.lens import divergence, last_step, linear_map, streams_of, with_one


@pytest.fixture(params=["llama", "gpt2"])
def model(request):
    return make(request.param).eval()


def test_streams_are_hidden_states_token_by_token(model):
    with torch.no_grad():
        streams = streams_of(model, IDS, [2, 1])
        hidden = model(IDS, output_hidden_states=True).hidden_states
    assert list(streams) == [2, 1]
    for layer, found in streams.items():
        assert found.shape == (IDS.numel(), N_DIMS)
        assert torch.equal(found, hidden[layer].flatten(0, 1))


def test_the_lens_of_the_last_layer_is_the_model(model):
    with torch.no_grad():
        last = streams_of(model, IDS, [N_LAYERS])[N_LAYERS]
        ours = last_step(model)(last)
        theirs = model(IDS).logits.log_softmax(-1).flatten(0, 1)
        earlier = last_step(model)(streams_of(model, IDS, [1])[1])
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert ours.exp().sum(-1).tolist() == pytest.approx([1] * IDS.numel(), abs=1e-5)
    assert (earlier - theirs).abs().max() > 0.01


def test_a_map_finds_the_map_that_was_put_in():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=rng, dtype=torch.float64)
    true = torch.randn(6, 3, generator=rng, dtype=torch.float64)  # the last row, a constant
    y = torch.cat([x, torch.ones(200, 1, dtype=torch.float64)], 1) @ true
    assert torch.equal(with_one(x)[:, :-1], x)
    assert with_one(x)[:, -1].tolist() == [1.0] * 200
    found = linear_map(x, y, strength=1e-12)
    assert torch.allclose(found, true, atol=1e-8)
    assert torch.allclose(with_one(x) @ found, y, atol=1e-8)


@pytest.mark.parametrize("strength", [1e-3, 0.5])
def test_the_ridge_is_a_share_of_the_mean_square_of_a_dimension(strength):
    rng = np.random.default_rng(1)
    x, y = 3 * rng.normal(size=(40, 4)) - 1, rng.normal(size=(40, 2))
    ones = np.hstack([x, np.ones((40, 1))])
    ridge = strength * (ones**2).sum(axis=0).mean()
    theirs = np.linalg.solve(ones.T @ ones + ridge * np.eye(5), ones.T @ y)
    ours = linear_map(torch.tensor(x), torch.tensor(y), strength)
    assert ours.numpy() == pytest.approx(theirs, abs=1e-6)
    default = linear_map(torch.tensor(x), torch.tensor(y))
    assert torch.equal(default, ours) == (strength == 1e-3)


def test_divergence_is_that_of_scipy_in_bits():
    p, q = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(2)).softmax(-1)
    theirs = [entropy(a, b, base=2) for a, b in zip(p.numpy(), q.numpy(), strict=True)]
    assert divergence(p.log(), q.log()).tolist() == pytest.approx(theirs, abs=1e-5)
    one_for_all = divergence(p.log(), q[:1].log())
    assert one_for_all[2].item() == pytest.approx(entropy(p[2], q[0], base=2), abs=1e-5)
    assert divergence(p.log(), p.log()).abs().max() < 1e-6
