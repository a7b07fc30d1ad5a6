"""Copies of texts, each changed otherwise, give what each change gives by itself."""

import pandas as pd
import pytest
import torch
from test_interventions import IDS, N_DIMS, N_HEADS, N_LAYERS, make

from layerwise.dissociation import (
    effects_of_heads,
    find_heads,
    last_logits,
    lead,
    restored,
    right_and_gap,
    run_copies,
    run_cuts,
    stand_ins,
)
from layerwise.interventions import ablate, head, heads, record, replace, stream


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request):
    with torch.no_grad():
        yield make(request.param)


@pytest.mark.parametrize("n_last", [1, 3, 5])
def test_each_copy_is_what_its_own_change_gives(model, n_last):
    vectors = torch.linspace(-2, 3, 2 * N_DIMS).reshape(2, N_DIMS)  # another one for each text
    of_head = torch.linspace(1, -1, 6)
    changes = [
        [],
        [(stream(model, 2), vectors)],
        [(head(model, 1, 3), of_head), (stream(model, 0), vectors.flip(0))],
    ]
    found = run_copies(model, IDS, changes, n_last)
    assert found.shape == (3, 2, 40)
    torch.testing.assert_close(found[0], last_logits(model, IDS))
    upper = run_copies(model, IDS, changes[:2], n_last, n_same=2)
    torch.testing.assert_close(upper, found[:2])
    with replace(stream(model, 2), lambda _: vectors, at=-n_last):
        torch.testing.assert_close(found[1], last_logits(model, IDS))
    with (
        replace(stream(model, 0), lambda _: vectors.flip(0), at=-n_last),
        ablate(head(model, 1, 3), of_head, at=-n_last),
    ):
        torch.testing.assert_close(found[2], last_logits(model, IDS))
    assert (found[0] - found[1]).abs().max() > 1e-2 < (found[0] - found[2]).abs().max()


def test_each_cut_of_many_is_that_cut(model):
    means = {(2, 1): torch.linspace(-1, 2, 6), (3, 4): torch.linspace(3, 0, 6)}
    nothing, one, both = run_cuts(model, IDS, [[], [(3, 4)], [(2, 1), (3, 4)]], means)
    torch.testing.assert_close(nothing, last_logits(model, IDS))
    with ablate(head(model, 3, 4), means[3, 4], at=-1):
        torch.testing.assert_close(one, last_logits(model, IDS))
        with ablate(head(model, 2, 1), means[2, 1], at=-1):
            torch.testing.assert_close(both, last_logits(model, IDS))
    assert (one - both).abs().max() > 1e-3


def test_heads_are_found_by_what_each_restores_alone(model):
    ids = torch.tensor([[5, 9, 3, 7, 2], [8, 1, 4, 6, 11], [5, 12, 3, 7, 2], [8, 13, 4, 6, 11]])
    first, second = 20, 31
    clean, corrupt = ids.chunk(2)
    top, bottom = (lead(last_logits(model, each), first, second) for each in (clean, corrupt))

    def share(logits):
        return restored(lead(logits, first, second), top, bottom)

    kept = []
    for layer in range(1, N_LAYERS + 1):
        with record(heads(model, layer)) as found:
            last_logits(model, clean)
        kept.append(found[0])
    effects = find_heads(model, corrupt, kept, share, n_best_layers=2)
    layers = range(2 * N_LAYERS // 3, N_LAYERS + 1)
    assert set(effects.index) == {(layer, n + 1) for layer in layers for n in range(N_HEADS)}
    assert effects.is_monotonic_decreasing
    for (layer, number), effect in effects.items():
        place = head(model, layer, number)
        source = kept[layer - 1][:, -1, place.dims]
        with replace(place, lambda _, source=source: source, at=-1):
            alone = share(last_logits(model, corrupt)).mean().item()
        assert effect == pytest.approx(alone, abs=1e-4)
    assert effects.abs().max() > 0.01
    again = effects_of_heads(model, ids, first, second)
    pd.testing.assert_series_equal(again, find_heads(model, corrupt, kept, share), rtol=1e-4)
    best = find_heads(model, corrupt, kept, share, n_best_layers=1)
    assert len(best) == N_HEADS == len({which for _, which in best.index})


def test_stand_ins_are_of_the_same_layers_and_none_of_those_found():
    found = [(2, 1), (2, 3), (5, 4)]
    drawn = stand_ins(found, n_heads=4, seed=1)
    assert list(drawn) == found
    assert [layer for layer, _ in drawn.values()] == [2, 2, 5]
    assert len({*drawn.values(), *found}) == 6
    assert list(stand_ins([(1, 1), (1, 2)], 3, 0).values()) == [(1, 3)]  # too few are free


def test_what_is_answered_right_and_the_gap_between_pairs():
    leads = torch.tensor([2.0, -1.0, 3.0, -4.0, -0.5, 1.0])  # the second half should be below 0
    right, gap = right_and_gap(leads)
    assert right == pytest.approx(4 / 6)
    assert gap == pytest.approx(((2 + 4) + (-1 + 0.5) + (3 - 1)) / 3)
