"""Change what a model computes while it runs, and look at what becomes of its output.

A place is a layer's stream, or its heads, in a model that is built like BERT, Llama or GPT-2.
Layers and heads are counted from 1; stream 0 is what the first layer reads. Each function below
opens a place for as long as its ``with`` lasts.

Chapter: ``chapters/wires.md``, "A hook".
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Where a layer's heads are mixed into the stream again
PROJECTIONS = ["self_attn.o_proj", "attention.output.dense", "attn.c_proj"]
At = int | slice
EVERYWHERE = slice(None)


class Place(NamedTuple):
    """What passes from one part of a model to the next, and can be read or changed there."""

    module: nn.Module
    dims: slice = EVERYWHERE  # of what passes there, those of one head
    comes_in: bool = False  # what the module takes, in place of what it returns


def layers_of(model: PreTrainedModel) -> nn.ModuleList:
    """Return a model's layers.

    Raises
    ------
    ValueError
        If there is no one stack of them.
    """
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)
              and len(module) == model.config.num_hidden_layers
              and any(part_of(module[0], name) for name in PROJECTIONS)]  # fmt: skip
    if len(stacks) != 1:
        raise ValueError(
            f"{type(model).__name__} is not built like BERT, Llama or GPT-2: no one stack of "
            f"layers has a part called {' or '.join(PROJECTIONS)}"
        )
    return stacks[0]


def part_of(module: nn.Module, name: str) -> nn.Module | None:
    """Return the part of a module that has a name with dots, or None."""
    return dict(module.named_modules()).get(name)


def stream(model: PreTrainedModel, layer: int) -> Place:
    """Return the place of a layer's hidden states, (n_texts, n_tokens, n_dims).

    Raises
    ------
    ValueError
        If there is no such layer.
    """
    layers = layers_of(model)
    if not 0 <= layer <= len(layers):
        raise ValueError(f"no stream {layer}: there are 0, before the layers, to {len(layers)}")
    return Place(layers[layer - 1]) if layer else Place(layers[0], comes_in=True)


def heads(model: PreTrainedModel, layer: int) -> Place:
    """Return the place of the mixtures of all heads of a layer, side by side.

    A head's mixture is what it has gathered from all tokens, before it is projected into the
    stream; together they are (n_texts, n_tokens, n_heads * d_head).

    Raises
    ------
    ValueError
        If there is no such layer.
    """
    layers = layers_of(model)
    if not 1 <= layer <= len(layers):
        raise ValueError(f"no layer {layer}: there are {len(layers)}, counted from 1")
    found = (part_of(layers[layer - 1], name) for name in PROJECTIONS)
    return Place(next(part for part in found if part is not None), comes_in=True)


def head(model: PreTrainedModel, layer: int, number: int) -> Place:
    """Return the place of one head's mixture, (n_texts, n_tokens, d_head).

    Raises
    ------
    ValueError
        If there is no such layer or head.
    """
    together, n_heads = heads(model, layer), model.config.num_attention_heads
    if not 1 <= number <= n_heads:
        raise ValueError(f"no head {number}: a layer has {n_heads}, counted from 1")
    projection: Any = together.module
    n_in = getattr(projection, "in_features", None) or projection.weight.shape[0]
    d_head = n_in // n_heads
    return together._replace(dims=slice((number - 1) * d_head, number * d_head))


@contextmanager
def replace(place: Place, change: Callable[[Tensor], Tensor], at: At = EVERYWHERE) -> Iterator:
    """Put something else in the place of what passes there.

    Parameters
    ----------
    place : Place
        From :func:`stream`, :func:`heads` or :func:`head`.
    change : callable
        Takes what passes, (n_texts, n_tokens, n) or (n_texts, n) at one token, and returns
        what is to stand there instead.
    at : int or slice
        Which tokens; left out, all of them.
    """

    def put(passing: Tensor) -> Tensor:
        where = (EVERYWHERE, at, place.dims)
        changed = passing.clone()
        changed[where] = change(changed[where]).to(passing.dtype)
        return changed

    def before(module: nn.Module, taken: tuple) -> tuple:
        return put(taken[0]), *taken[1:]

    def after(module: nn.Module, taken: tuple, returned):
        if isinstance(returned, tuple):
            return put(returned[0]), *returned[1:]
        return put(returned)

    module = place.module
    hook = (module.register_forward_pre_hook(before) if place.comes_in
            else module.register_forward_hook(after))  # fmt: skip
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def record(place: Place) -> Iterator[list[Tensor]]:
    """Keep what passes, run by run, in the list that this gives; nothing is changed."""
    kept: list[Tensor] = []

    def keep(passing: Tensor) -> Tensor:
        kept.append(passing.detach().clone())
        return passing

    with replace(place, keep):
        yield kept


def ablate(place: Place, mean: Tensor | float = 0.0, at: At = EVERYWHERE):
    """Cut a place: whatever passes, the same stands there, zero or a mean of other runs.

    Parameters
    ----------
    place : Place
    mean : Tensor of shape (n,), or a number
    at : int or slice
        See :func:`replace`.
    """
    return replace(place, lambda passing: torch.as_tensor(mean).expand_as(passing), at)


def patch(place: Place, source: Tensor, at: At = EVERYWHERE):
    """Put in what passed there in another run.

    Parameters
    ----------
    place : Place
    source : Tensor of shape (n_texts, n_tokens, n)
        From :func:`record`; the same tokens are taken from it.
    at : int or slice
        See :func:`replace`.

    Raises
    ------
    ValueError
        If the other run had other numbers of texts, tokens or dimensions.
    """

    def other(passing: Tensor) -> Tensor:
        found = source[:, at]
        if found.shape != passing.shape:
            raise ValueError(
                f"what is put in has the shape {tuple(found.shape)}, and what passes there "
                f"{tuple(passing.shape)}: both runs need as many texts, of as many tokens"
            )
        return found

    return replace(place, other, at)


def steer(place: Place, direction: Tensor, dose: float, at: At = EVERYWHERE):
    """Add a direction, so many times, to what passes.

    Parameters
    ----------
    place : Place
    direction : Tensor of shape (n,)
    dose : float
        Negative: the other way.
    at : int or slice
        See :func:`replace`.
    """
    return replace(place, lambda passing: passing + dose * direction, at)


@contextmanager
def resume(model: PreTrainedModel, layer: int, kept: Tensor) -> Iterator:
    """Let a model begin after a layer, with what passed there before: none below it runs.

    Parameters
    ----------
    model : PreTrainedModel
    layer : int
    kept : Tensor of shape (n_texts, n_tokens, n_dims)
        The layer's stream, recorded in a run of the same texts.
    """
    skipped = layers_of(model)[:layer]
    for each in skipped:
        each.forward = lambda passing, *_, **__: passing
    try:
        with patch(stream(model, layer), kept):
            yield
    finally:
        for each in skipped:
            del each.forward


def one_token(word: str, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the input ID of a word inside a sentence, a space before it.

    Raises
    ------
    ValueError
        If the tokenizer cuts it into several.
    """
    ids = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        raise ValueError(
            f"{word!r} is {len(ids)} tokens here: to change one token and read one, take words "
            "that are one token each, or a decoder with a larger vocabulary"
        )
    return ids[0]


def equally_long(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """Return the input IDs of texts that have as many tokens each, (n_texts, n_tokens).

    Raises
    ------
    ValueError
        If they have not: what stands at one place of one would stand elsewhere in another.
    """
    ids = [tokenizer(text)["input_ids"] for text in texts]
    lengths = [len(each) for each in ids]
    if len(set(lengths)) != 1:
        shortest, longest = (texts[lengths.index(f(lengths))] for f in (min, max))
        raise ValueError(
            f"{shortest!r} has {min(lengths)} tokens and {longest!r} {max(lengths)}: texts "
            "that are compared place by place need as many tokens each"
        )
    return torch.tensor(ids)
