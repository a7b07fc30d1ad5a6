"""Which heads bring an answer to the last token, and what is left of it when they are cut.

Chapter: ``chapters/wires.md``, "Enough, or needed?" and "Two wires".
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from layerwise.interventions import (
    At,
    Place,
    ablate,
    head,
    heads,
    record,
    replace,
    resume,
    stream,
)

Head = tuple[int, int]  # layer and number, both counted from 1
Changes = Sequence[tuple[Place, Tensor]]  # where something is put in, and what


def lead(logits: Tensor, first, second) -> Tensor:
    """Return by how many nats one answer leads another, text by text, (..., n_texts).

    Parameters
    ----------
    logits : Tensor of shape (..., n_texts, n_pieces)
    first, second : int, or Tensor of shape (n_texts,)
        Input IDs of the two answers.
    """
    rows = range(logits.shape[-2])
    return logits[..., rows, first] - logits[..., rows, second]


def restored(patched: Tensor, clean: Tensor, corrupt: Tensor) -> Tensor:
    """Return which share of the clean run's lead is there again."""
    regained, lost = patched - corrupt, clean - corrupt
    return regained / lost


def last_logits(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """Return the logits for what comes after the last token, (n_texts, n_pieces)."""
    return model(ids, logits_to_keep=1).logits[:, -1]


def read_before(model: PreTrainedModel, ids: Tensor, n_last: int = 1) -> Any:
    """Return the cache of all tokens but the last ones; ids (n_texts, n_tokens)."""
    cache = DynamicCache(config=model.config)
    if ids.shape[1] > n_last:
        model(ids[:, :-n_last], past_key_values=cache, logits_to_keep=1)
    return cache


def run_last(model: PreTrainedModel, ids: Tensor, cache: Any, n_last: int = 1) -> Tensor:
    """Run the last tokens alone, and leave the cache as it was; (n_texts, n_pieces)."""
    output = model(ids[:, -n_last:], past_key_values=cache, logits_to_keep=1)
    cache.crop(-n_last)
    return output.logits[:, -1]


def run_copies(
    model: PreTrainedModel,
    ids: Tensor,
    changes: Sequence[Changes],
    n_last: int = 1,
    n_same: int = 0,
) -> Tensor:
    """Run the end of some texts in many copies at once, each copy changed otherwise.

    Parameters
    ----------
    model : PreTrainedModel
    ids : Tensor of shape (n_texts, n_tokens)
    changes : sequence of sequence of (Place, Tensor)
        For each copy, where something else is put in, and what: (n_texts, n) or (n,).
    n_last : int
        How many tokens are run; what is changed is changed at the first of them.
    n_same : int
        How many layers run once for all copies, since nothing is changed in them.

    Returns
    -------
    Tensor of shape (n_copies, n_texts, n_pieces)
        Logits for what comes after the last token.
    """
    n, k = len(ids), len(changes)
    cache = read_before(model, ids, n_last)
    with record(stream(model, n_same)) as same:
        run_last(model, ids, deepcopy(cache), n_last)
    cache.batch_select_indices(torch.arange(n, device=ids.device).repeat(k))
    with ExitStack() as stack:
        stack.enter_context(resume(model, n_same, torch.cat([same[0]] * k)))
        for i, changes_of_copy in enumerate(changes):
            for place, source in changes_of_copy:
                change = put_in_rows(slice(i * n, (i + 1) * n), source)
                stack.enter_context(replace(place, change, at=-n_last))
        logits = run_last(model, torch.cat([ids] * k), cache, n_last)
    return logits.unflatten(0, (k, n))


def put_in_rows(rows: slice, source: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a change of some rows of what passes, (n_rows, n), for replace."""

    def change(passing: Tensor) -> Tensor:
        changed = passing.clone()
        changed[rows] = source
        return changed

    return change


def find_heads(
    model: PreTrainedModel,
    ids: Tensor,
    mixtures: Sequence[Tensor],
    share: Callable[[Tensor], Tensor],
    n_best_layers: int = 3,
) -> pd.Series:
    """Return the effect of patching each head of the layers that matter most.

    Parameters
    ----------
    model : PreTrainedModel
    ids : Tensor of shape (n_texts, n_tokens)
        What is patched, at the last token.
    mixtures : sequence of Tensor of shape (n_texts, n_tokens, n_heads * d_head)
        What is put in, layer by layer: of the heads in another run.
    share : callable
        Takes logits, (n_texts, n_pieces), and returns the share restored, (n_texts,).
    n_best_layers : int
        Of those in the upper third.

    Returns
    -------
    Series
        By layer and number of the head, the strongest first.
    """
    n_layers, n_heads = model.config.num_hidden_layers, model.config.num_attention_heads

    def effects(places: dict[Head, Place]) -> pd.Series:
        changes = [[(place, mixtures[layer - 1][:, -1, place.dims])]
                   for (layer, _), place in places.items()]  # fmt: skip
        n_same = min(layer for layer, _ in places) - 1
        logits = run_copies(model, ids, changes, n_same=n_same)
        shares = [share(each).mean().item() for each in logits]
        return pd.Series(shares, pd.MultiIndex.from_tuples(places, names=["layer", "head"]))

    upper = range(2 * n_layers // 3, n_layers + 1)
    of_layers = effects({(layer, 0): heads(model, layer) for layer in upper})
    best_layers = of_layers.nlargest(n_best_layers).index.get_level_values("layer")
    each = {(layer, which): head(model, layer, which)
            for layer, which in product(best_layers, range(1, n_heads + 1))}  # fmt: skip
    return effects(each).sort_values(ascending=False).rename("effect")


def effects_of_heads(model: PreTrainedModel, ids: Tensor, first: int, second: int) -> pd.Series:
    """Return the effect of heads on a question, patched from the first half of texts.

    Parameters
    ----------
    model : PreTrainedModel
    ids : Tensor of shape (2 * n_pairs, n_tokens)
        The first text of each pair, then the second of each.
    first, second : int
        Input IDs of what answers the first of a pair, and of what answers the second.

    Returns
    -------
    Series
        See :func:`find_heads`.
    """
    n_layers = model.config.num_hidden_layers
    with ExitStack() as stack:
        kept = [stack.enter_context(record(heads(model, layer)))
                for layer in range(1, n_layers + 1)]  # fmt: skip
        of_clean, of_corrupt = lead(last_logits(model, ids), first, second).chunk(2)

    def share(logits: Tensor) -> Tensor:
        return restored(lead(logits, first, second), of_clean, of_corrupt)

    n = len(of_clean)
    return find_heads(model, ids[n:], [found[0][:n] for found in kept], share)


def means_of(model: PreTrainedModel, ids: Tensor, places: Sequence[Head]) -> dict[Head, Tensor]:
    """Return the mean mixture of heads at the last token of some texts."""
    with ExitStack() as stack:
        kept = {
            place: stack.enter_context(record(head(model, *place))) for place in places
        }  # fmt: skip
        model(ids, logits_to_keep=1)
    return {place: found[0][:, -1].mean(0) for place, found in kept.items()}


def cut(
    model: PreTrainedModel, places: Sequence[Head], means: Mapping[Head, Tensor], at: At = -1
) -> ExitStack:
    """Ablate several heads, each to a mean of its own, until the stack is left."""
    stack = ExitStack()
    for place in places:
        stack.enter_context(ablate(head(model, *place), means[place], at))
    return stack


def run_cuts(
    model: PreTrainedModel,
    ids: Tensor,
    cuts: Sequence[Sequence[Head]],
    means: Mapping[Head, Tensor],
) -> Tensor:
    """Run some texts after each of several cuts at the last token, in one run.

    Returns
    -------
    Tensor of shape (n_cuts, n_texts, n_pieces)
        See :func:`run_copies`.
    """
    changes = [[(head(model, *place), means[place]) for place in places] for places in cuts]
    n_same = min((layer for places in cuts for layer, _ in places), default=1) - 1
    return run_copies(model, ids, changes, n_same=n_same)


def right_and_gap(leads: Tensor) -> tuple[float, float]:
    """Return the share of texts that are answered right, and the gap between the pairs.

    Parameters
    ----------
    leads : Tensor of shape (2 * n_pairs,)
        By how many nats the first answer leads: for the first text of each pair, of which it
        is the right one, then for the second of each.
    """
    of_first, of_second = leads.chunk(2)
    n_right = (of_first > 0).sum() + (of_second < 0).sum()
    return n_right.item() / len(leads), (of_first - of_second).mean().item()


def stand_ins(found: Sequence[Head], n_heads: int, seed: int) -> dict[Head, Head]:
    """Draw for each head another one of its layer, none of those found and none twice.

    Where a layer has too few, some heads have no stand-in.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[Head, Head] = {}
    for layer in sorted({layer for layer, _ in found}):
        own = sorted(number for each, number in found if each == layer)
        free = sorted(set(range(1, n_heads + 1)) - set(own))
        chosen = rng.choice(free, min(len(own), len(free)), replace=False)
        drawn |= {(layer, number): (layer, int(other))
                  for number, other in zip(own, chosen, strict=False)}  # fmt: skip
    return drawn
