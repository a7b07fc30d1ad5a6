"""What a patch restores at each layer and token, and what each cut leaves, for the explorer."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain, combinations

import torch
from torch import Tensor

from layerwise.decoders import Decoder
from layerwise.dissociation import (
    Head,
    effects_of_heads,
    last_logits,
    lead,
    means_of,
    restored,
    right_and_gap,
    run_cuts,
    stand_ins,
)
from layerwise.interventions import equally_long, one_token, record, resume, stream
from tools.explorers.lens import whole_numbers

# The sentences of the chapter, which a test compares with these. The first shape is the one
# that heads are found on.
CITIES = {"France": "Paris", "Italy": "Rome", "Germany": "Berlin", "Spain": "Madrid",
          "England": "London", "Japan": "Tokyo"}  # fmt: skip
THINGS = "book books, house houses, star stars, friend friends, song songs, tree trees"
PEOPLE = "uncle aunt, husband wife, actor actress, prince princess, lord lady"
NAMES = "John Mary, James Anna, David Sarah, William Jane, Peter Alice, George Helen"
CAPITAL = "capital"
QUESTIONS = {
    CAPITAL: {
        "The capital of {} is": "France Italy, Italy Germany, Germany Spain, Spain England, "
        "England Japan, Japan France",
        "The capital of {} is the city of": "France Italy",
    },
    "is/are": {
        "The {} near the window": "key keys, dog dogs, letter letters, flower flowers, "
        "boy boys, child children",
        "The {}": THINGS,
        "The {} that he saw": THINGS,
        "The {} in the garden": THINGS,
        "The {} near the windows": THINGS,
    },
    "he/she": {
        "The {} said that": "king queen, man woman, boy girl, father mother, son daughter, "
        "brother sister",
        "My {} was tired, so": PEOPLE,
        "When the {} came,": PEOPLE,
        "I think the {} wrote what": PEOPLE,
        "They asked {} if": NAMES,
    },
}
ENOUGH = 0.15  # of the answer, restored by a head that is kept, as in the chapter
MOST_HEADS = 8  # more would have too many cuts to be run beforehand


def make_patching(decoder: Decoder, questions: dict[str, dict[str, str]] = QUESTIONS) -> dict:
    """Describe grids of patches, heads to cut, and what is right after each cut.

    In a decoder where no few heads answer the questions that is a ValueError.
    """
    n_layers = decoder.model.config.num_hidden_layers
    upper = 2 * n_layers // 3  # below, every third layer will do, as in the chapter
    layers = [*range(0, upper, 3), *range(upper, n_layers + 1)]
    with torch.inference_mode():
        two = {name: shapes for name, shapes in questions.items() if name != CAPITAL}
        cuts = describe_cuts(decoder, two)
        grids = [describe_grid(decoder, shape, pairs_of(pairs), CITIES, layers)
                 for shape, pairs in questions[CAPITAL].items()]  # fmt: skip
        for name, shapes in two.items():
            for shape, pairs in shapes.items():
                pair = pairs_of(pairs)[0]
                answer_to = dict(zip(pair, name.split("/"), strict=True))
                grids.append(describe_grid(decoder, shape, [pair], answer_to, layers))
    return {"model": decoder.model.name_or_path, "layers": layers, "grids": grids, **cuts}


# ---------------------------------------------------------------- grids


def describe_grid(
    decoder: Decoder,
    shape: str,
    pairs: list[list[str]],
    answer_to: dict[str, str],
    layers: list[int],
) -> dict:
    """Describe what the clean run's stream restores in the corrupt one, layer by token.

    Each pair is two words for the shape, of the clean sentence and of the corrupt one.
    ``restored`` is in hundredths, (n_pairs, n_layers, n_tokens), row after row, of the tokens
    from the one before the first that differs.
    """
    tokenizer, model, device = decoder
    words = list(zip(*pairs, strict=True))  # of all clean ones, of all corrupt ones
    clean, corrupt = (
        equally_long([shape.format(word) for word in each], tokenizer).to(device)
        for each in words
    )
    answers, others = (
        torch.tensor([one_token(answer_to[word], tokenizer) for word in each], device=device)
        for each in words
    )
    where = int((clean != corrupt).any(0).nonzero()[0])
    at = torch.arange(max(0, where - 1), clean.shape[1], device=device)
    n, k = len(clean), len(at)
    with ExitStack() as stack:
        kept = {layer: stack.enter_context(record(stream(model, layer))) for layer in layers}
        of_clean = lead(last_logits(model, clean), answers, others)
        of_corrupt = lead(last_logits(model, corrupt), answers, others)
    copies = corrupt.repeat_interleave(k, 0)  # (n * k, n_tokens), each patched at one token
    firsts, seconds = (ids.repeat_interleave(k) for ids in (answers, others))
    rows, tokens = torch.arange(n * k, device=device), at.repeat(n)
    shares = []
    for layer in layers:  # begun there: below, all is as in the corrupt run
        source, patched = (run.repeat_interleave(k, 0) for run in kept[layer])
        patched[rows, tokens] = source[rows, tokens]
        with resume(model, layer, patched):
            leads = lead(last_logits(model, copies), firsts, seconds).reshape(n, k)
        shares.append(restored(leads, of_clean[:, None], of_corrupt[:, None]))
    return {
        "sentences": [[shape.format(word) for word in pair] for pair in pairs],
        "answers": [[answer_to[word] for word in pair] for pair in pairs],
        "leads": [hundredths(each) for each in (of_clean, of_corrupt)],
        "tokens": [[tokenizer.decode([i]) for i in ids] for ids in clean[:, at].tolist()],
        "restored": [hundredths(each) for each in torch.stack(shares, 1)],
    }


def pairs_of(pairs: str) -> list[list[str]]:
    """Return the pairs that are written as "key keys, dog dogs"."""
    return [pair.split() for pair in pairs.split(", ")]


def hundredths(numbers: Tensor) -> list[int]:
    """Return numbers as whole hundredths, row after row."""
    return whole_numbers(100 * numbers)


# ---------------------------------------------------------------- cuts


def describe_cuts(decoder: Decoder, questions: dict[str, dict[str, str]]) -> dict:
    """Find the heads of each question, and cut every choice of them, and what is drawn instead.

    ``right`` has the share of texts that are right and the gap between the nouns, in nats, for
    each cut and shape. A cut is named by its heads: "27.1 28.9"; nothing cut is "".
    """
    ids_of = {
        name: {shape: fill(shape, pairs, decoder) for shape, pairs in shapes.items()}
        for name, shapes in questions.items()
    }
    answers = {name: [one_token(word, decoder.tokenizer) for word in name.split("/")]
               for name in questions}  # fmt: skip
    effects = {name: effects_of_heads(decoder.model, next(iter(ids_of[name].values())),
                                      *answers[name]) for name in questions}  # fmt: skip
    found = {name: list(effect.index[effect > ENOUGH]) for name, effect in effects.items()}
    together = [place for heads in found.values() for place in heads]
    if not all(found.values()) or not len(set(together)) == len(together) <= MOST_HEADS:
        raise ValueError("in this decoder no two small sets of heads answer the two questions")
    drawn = stand_ins(together, decoder.model.config.num_attention_heads, seed=0)
    choices = [choice for heads in found.values() for choice in subsets(heads)]
    choices += [[drawn[place] for place in choice if place in drawn] for choice in choices]
    return {
        "heads": {
            name: [{"head": name_of([place]), "restored": round(float(effects[name][place]), 2),
                    "drawn": name_of([drawn[place]] if place in drawn else [])}
                   for place in heads]
            for name, heads in found.items()
        },
        "right": {
            name: measure(decoder, ids_of[name], answers[name], choices) for name in questions
        },
    }  # fmt: skip


def measure(
    decoder: Decoder, ids_of: dict[str, Tensor], answers: Sequence[int], choices: list
) -> dict:
    """Measure a question after each cut, on the shapes that no head was found on."""
    found_on, *tested = ids_of
    every_head = sorted({place for places in choices for place in places})
    means = means_of(decoder.model, ids_of[found_on], every_head)
    choices = [[], *choices]
    measured = {}
    for shape in tested:
        logits = run_cuts(decoder.model, ids_of[shape], choices, means)
        measured[shape] = {
            name_of(places): [round(number, 3) for number in right_and_gap(leads)]
            for places, leads in zip(choices, lead(logits, *answers), strict=True)
        }
    return measured


def fill(shape: str, pairs: str, decoder: Decoder) -> Tensor:
    """Fill a shape with the first word of each pair, then with the second of each."""
    firsts, seconds = zip(*pairs_of(pairs), strict=True)
    texts = [shape.format(noun) for noun in [*firsts, *seconds]]
    return equally_long(texts, decoder.tokenizer).to(decoder.device)


def subsets(heads: list[Head]) -> list[list[Head]]:
    """Return every choice of one or more of some heads, in their order."""
    sizes = (combinations(heads, n) for n in range(1, len(heads) + 1))
    return [list(choice) for choice in chain.from_iterable(sizes)]


def name_of(heads: Sequence[Head]) -> str:
    """Name a cut by its heads, in order."""
    return " ".join(f"{layer}.{number}" for layer, number in sorted(heads))
