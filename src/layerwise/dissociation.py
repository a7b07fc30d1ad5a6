"""Which heads bring an answer to the last token, and what is left of it when they are cut.

Chapter: ``chapters/wires.md``, "Enough, or needed?" and "Two wires".
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor
from transformers import PreTrainedModel

from layerwise.interventions import At, Place, ablate, head, heads, patch, record

Head = tuple[int, int]  # layer and number, both counted from 1


def lead(logits: Tensor, first, second) -> Tensor:
    """Return by how many nats one answer leads another, text by text, (n_texts,).

    Parameters
    ----------
    logits : Tensor of shape (n_texts, n_pieces)
    first, second : int, or Tensor of shape (n_texts,)
        Input IDs of the two answers.
    """
    rows = range(len(logits))
    return logits[rows, first] - logits[rows, second]


def restored(patched: Tensor, clean: Tensor, corrupt: Tensor) -> Tensor:
    """Return which share of the clean run's lead is there again."""
    return (patched - corrupt) / (clean - corrupt)


def read_before(model: PreTrainedModel, ids: Tensor) -> Any:
    """Return the cache of all tokens but the last; ids (n_texts, n_tokens)."""
    return model(ids[:, :-1], use_cache=True, logits_to_keep=1).past_key_values


def run_last(model: PreTrainedModel, ids: Tensor, cache: Any) -> Tensor:
    """Run the last token alone, and leave the cache as it was; (n_texts, n_pieces)."""
    logits = model(ids[:, -1:], past_key_values=cache).logits[:, -1]
    cache.crop(-1)
    return logits


def find_heads(
    model: PreTrainedModel, effect: Callable[[Place, int], float], n_best_layers: int = 3
) -> pd.Series:
    """Return the effect of patching each head of the layers that matter most.

    Parameters
    ----------
    model : PreTrainedModel
    effect : callable
        Takes a place, of all heads of a layer or of one, and the layer.
    n_best_layers : int
        Of those in the upper third.

    Returns
    -------
    Series
        By layer and number of the head, the strongest first.
    """
    n_layers, n_heads = model.config.num_hidden_layers, model.config.num_attention_heads
    of_layer = {layer: effect(heads(model, layer), layer)
                for layer in range(2 * n_layers // 3, n_layers + 1)}  # fmt: skip
    best_layers = sorted(of_layer, key=of_layer.__getitem__)[-n_best_layers:]
    found = {(layer, which): effect(head(model, layer, which), layer)
             for layer, which in product(best_layers, range(1, n_heads + 1))}  # fmt: skip
    effects = pd.Series(found, name="effect").rename_axis(["layer", "head"])
    return effects.sort_values(ascending=False)


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
        logits = model(ids, logits_to_keep=1).logits[:, -1]
    of_clean, of_corrupt = lead(logits, first, second).chunk(2)
    corrupt = ids[len(ids) // 2 :]
    cache = read_before(model, corrupt)

    def effect(place: Place, layer: int) -> float:
        source = kept[layer - 1][0][: len(corrupt), -1:, place.dims]
        with patch(place, source):
            leads = lead(run_last(model, corrupt, cache), first, second)
        return restored(leads, of_clean, of_corrupt).mean().item()

    return find_heads(model, effect)


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
        taken = sorted(number for each, number in found if each == layer)
        rest = [number for number in range(1, n_heads + 1) if number not in taken]
        chosen = rng.choice(rest, min(len(taken), len(rest)), replace=False)
        drawn |= {(layer, number): (layer, int(other))
                  for number, other in zip(taken, chosen, strict=False)}  # fmt: skip
    return drawn
