"""The exercises of ``chapters/transformer.md``."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from layerwise.exercises import marking
from layerwise.exercises.marking import RIGHT, Exercise, Verdict, compare, mistake, not_yet

# Asymmetric, with negative numbers and rows of different spread.
SCORES = torch.tensor([[2.0, -1.0, 0.5, 0.0], [-3.0, 1.0, 4.0, 1.5], [0.0, -0.5, -2.0, 0.3]])


def fourth(storm: Tensor, toy: Tensor) -> Verdict:
    """Judge a vector: near thunder's direction, and twice as long."""
    thunder, storm = toy[2], torch.as_tensor(storm, dtype=torch.float32)
    if storm.shape != thunder.shape:
        return not_yet(f"it has shape {tuple(storm.shape)}, the other words {thunder.shape[0]} "
                       "numbers each")  # fmt: skip
    close = functional.cosine_similarity(storm, thunder, dim=0).item()
    times = (storm.norm() / thunder.norm()).item()
    if close > 0.9 and times >= 2:
        return RIGHT
    if close < -0.9:
        return mistake("this points away from thunder: turn the sign")
    if close > 0.9:
        below = math.floor(10 * times) / 10  # 1.99 is not told as 2
        return mistake(f"this points there, but is {below:.1f} times as long as thunder: a "
                       "cosine does not see length, so make it longer")  # fmt: skip
    return not_yet(f"its cosine with thunder is {close:.2f}")


def count(number: int, first_layer) -> Verdict:
    """Judge the number of parameters of a feed-forward part."""
    part = [*first_layer.intermediate.parameters(), *first_layer.output.parameters()]
    norm = sum(p.numel() for p in first_layer.output.LayerNorm.parameters())
    biases = first_layer.intermediate.dense.bias.numel() + first_layer.output.dense.bias.numel()
    whole = sum(p.numel() for p in part)
    return compare(float(number), float(whole), {
        "this leaves the biases out: one for each output of a projection":
            float(whole - biases),
        "this leaves LayerNorm out, which has two numbers for each dimension":
            float(whole - norm),
        "these are the two matrices alone: biases and LayerNorm are missing":
            float(whole - biases - norm),
    }, tolerance=0.5)  # fmt: skip


def neighbours(pieces: list[str], word: str, tokenizer) -> Verdict:
    """Judge the pieces of a word."""
    theirs = tokenizer.tokenize(word)
    return compare(list(pieces), theirs, {
        "without ## these are other entries, with other rows: keep the mark":
            [piece.removeprefix("##") for piece in theirs],
        "the whole word is no entry of the vocabulary, so it has no row: take its pieces":
            [word],
        "[CLS] and [SEP] are no pieces of the word": ["[CLS]", *theirs, "[SEP]"],
    })  # fmt: skip


def softmax(softmax_by_hand: Callable) -> Verdict:
    """Judge a softmax, on three rows of four scores."""
    made = softmax_by_hand(SCORES.clone())
    powers = SCORES.exp()
    return compare(made, SCORES.softmax(dim=-1), {
        "here the columns sum to one: a row belongs to the token that looks":
            SCORES.softmax(dim=0),
        "this divides by the sum of everything: each row has a sum of its own":
            powers / powers.sum(),
        "this leaves the exponential out, and some shares are below zero":
            SCORES / SCORES.sum(dim=-1, keepdim=True),
    })  # fmt: skip


def norm(norm_by_hand: Callable) -> Verdict:
    """Judge a layer normalization without learned numbers, on three vectors of four."""
    made = norm_by_hand(SCORES.clone())
    centred = SCORES - SCORES.mean(dim=-1, keepdim=True)
    variance = (centred**2).mean(dim=-1, keepdim=True)
    columns = SCORES - SCORES.mean(dim=0)
    return compare(made, functional.layer_norm(SCORES, SCORES.shape[-1:]), {
        "this divides by n - 1: `.std()` does, unless told `correction=0`":
            centred / centred.std(dim=-1, keepdim=True),
        "this divides by the variance: take its root": centred / variance,
        "this normalizes each dimension over the tokens: layer normalization looks at one "
        "token at a time": columns / (columns**2).mean(dim=0).sqrt(),
    }, tolerance=1e-3)  # fmt: skip


def head(yours: Tensor, attentions: Tensor, config) -> Verdict:
    """Judge the attention of the third head, beside that of all heads."""
    theirs = attentions[2]
    size = config.hidden_size / config.num_attention_heads
    logs = theirs.clamp_min(1e-30).log()  # scores, up to a number for each row
    for other, shares in enumerate(attentions):
        if other != 2 and marking.same(yours, shares, 1e-5):
            return mistake(f"this is head number {other + 1}: the third starts at 2 * d_k, "
                           "since Python counts from 0")  # fmt: skip
    return compare(yours, theirs, {
        "these scores were not divided, so that the attention is too sharp":
            (logs * size**0.5).softmax(dim=-1),
        "this divides by the root of the model's size: the equation means one head's":
            (logs * (size / config.hidden_size) ** 0.5).softmax(dim=-1),
    }, tolerance=1e-5)  # fmt: skip


def gelu(gelu_with_tanh: Callable) -> Verdict:
    """Judge a curve against the library's approximate GELU."""
    x = torch.linspace(-4, 4, 41)
    theirs = functional.gelu(x, approximate="tanh")
    inner = (x + 0.044715 * x**3) * 2 / torch.pi
    return compare(gelu_with_tanh(x), theirs, {
        "this is twice too high: the formula begins with one half": 2 * theirs,
        "2/π stands here without its root":
            x / 2 * (1 + torch.tanh(inner)),
        "this is the exact curve: write the formula with tanh": functional.gelu(x),
    }, tolerance=1e-6)  # fmt: skip


def window(neighbours_mask: Callable) -> Verdict:
    """Judge a mask that lets a token see itself and the tokens beside it."""
    n = 6
    apart = (torch.arange(n)[:, None] - torch.arange(n)).abs()
    made = torch.as_tensor(neighbours_mask(n)).float()
    return compare(made, (apart <= 1).float(), {
        "no token sees itself here: the diagonal has to be 1": (apart == 1).float(),
        "this looks back only: let each token see its successor, too":
            ((apart <= 1) & torch.ones(n, n).tril().bool()).float(),
        "this lets each token see two to either side": (apart <= 2).float(),
    })  # fmt: skip


def previous(to_previous: Callable) -> Verdict:
    """Judge a measure of looking back, on two layers of three heads."""
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand(2, 3, 5, 5, generator=generator).softmax(dim=-1)
    rows = torch.arange(1, 5)
    back, ahead = attention[..., rows, rows - 1], attention[..., rows - 1, rows]
    return compare(to_previous(attention), back.mean(dim=-1), {
        "this looks ahead, at the token after: the sign of offset says which way":
            ahead.mean(dim=-1),
        "this is the sum over the tokens: take their mean": back.sum(dim=-1),
        "this divides by all the tokens, but the first has none before it":
            back.sum(dim=-1) / 5,
    })  # fmt: skip


def leave_out(attention_and_effect: Callable, run: Callable) -> Verdict:
    """Judge the effect of leaving words out, on a line in which a word stands twice."""
    words = "the bird and the wind came down".split()
    _, effect = attention_and_effect(" ".join(words))
    if len(effect) != len(words):
        return not_yet(f"for a line of {len(words)} words it returns {len(effect)} effects")
    _, whole = run([" ".join(words)])

    def cosines(shorter: list[list[str]]) -> Tensor:
        return functional.cosine_similarity(whole, run([" ".join(x) for x in shorter])[1])

    theirs = cosines([[w for j, w in enumerate(words) if j != i] for i in range(len(words))])
    everywhere = cosines([[w for w in words if w != word] for word in words])
    return compare(torch.as_tensor(effect, device=theirs.device), 1 - theirs, {
        "this is the cosine itself, high where nothing happens: take one minus it": theirs,
        "this takes a word out wherever it stands: take out the one place": 1 - everywhere,
    })  # fmt: skip


EXERCISES = {
    "ex-fourth": Exercise(fourth, [
        "thunder's first number is 0: how large may storm's be beside its second?",
        "twice as long as thunder is a length of 4 or more: a second number of 4 is enough",
    ]),
    "ex-count": Exercise(count, [
        "there are two projections; you may have counted one",
        "then the biases, one for each output; then LayerNorm, two for each dimension",
    ]),
    "ex-neighbours": Exercise(neighbours, [
        "how does the tokenizer cut the chapter's `word`? *bird* stands there as a start",
        "`tokenizer.tokenize(...)` returns the pieces as a list",
    ]),
    "ex-softmax": Exercise(softmax, [
        "two steps: the exponential of every score, and then shares of each row",
        "`.sum(dim=-1, keepdim=True)` is each row's sum, and can be divided by",
    ]),
    "ex-norm": Exercise(norm, [
        "the mean is zero already: now divide, so that the squares average one",
        "the mean of the squares along the last dimension, and the root of that",
    ]),
    "ex-head": Exercise(head, [
        "the keys are made like the query, from `self_attention.key`, with the same slice",
        "before the softmax the scores are divided: by the root of what?",
    ]),
    "ex-gelu": Exercise(gelu, [
        "write the inner part first, and give it a name",
        "`torch.tanh(inner)`, one more, and half of x times that",
    ]),
    "ex-window": Exercise(window, [
        "look at `causal_mask(6)`: which cells have to change?",
        "`tril(diagonal=1)` keeps what lies below, and one diagonal more; `triu(diagonal=-1)` "
        "what lies above",
    ]),
    "ex-previous": Exercise(previous, [
        "row i is the token that looks; the token before it is column i - 1",
        "`diagonal` takes an `offset`: the exercise says which",
    ]),
    "ex-leave-out": Exercise(leave_out, [
        "make the shorter lines first: for each i, all words but number i",
        "`run` takes a list of lines and returns a mean vector for each",
        "`cosine_similarity(whole, without, dim=-1)`, and one minus that",
    ]),
}  # fmt: skip
check = partial(marking.check, EXERCISES)
judge = partial(marking.judge, EXERCISES)
