"""Is a poem's second line told among others by what it costs after the first?

Chapter: ``chapters/writing.md``, "Has it read Dickinson?".
"""

import math
import re
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pandas as pd
import torch

from layerwise.checkpoints import DEFAULTS
from layerwise.decoders import Decoder
from layerwise.surprisal import shortest_of, token_ids

N_CANDIDATES = 20  # lines, of which one is the poem's own second


def cost_after(begun: str, lines: Sequence[str], decoder: Decoder) -> list[float]:
    """Return what each of several lines costs after another one, in bits a character."""
    read = [token_ids(line, decoder, f"{begun}\n") for line in lines]
    longest = max(len(ids) for ids, _ in read)
    # what is added behind a line is seen by nothing that counts
    given = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids, _ in read])
    costs = []
    with torch.inference_mode():
        logits = decoder.model(given.to(decoder.device)).logits  # (n_lines, n_tokens, n_pieces)
    for line, (ids, starts), scores in zip(lines, read, logits, strict=True):
        n_before = len(ids) - len(starts)
        nats = torch.nn.functional.cross_entropy(
            scores[n_before - 1 : len(ids) - 1],
            torch.tensor(ids[n_before:], device=scores.device), reduction="sum",
        )  # fmt: skip
        costs.append(nats.item() / math.log(2) / len(line))
    return costs


def replace_longest(line: str, other: str) -> str:
    """Put the longest word of another line in the place of a line's own longest."""
    own, foreign = (max(re.findall(r"[\w'’]+", each), key=len) for each in (line, other))
    return line.replace(own, foreign, 1)


def second_lines(poems: pd.DataFrame, decoder: Decoder, seed: int = 0) -> pd.DataFrame:
    """Read each poem's second line, and those of 19 others, after three first lines.

    Returns
    -------
    DataFrame
        A row for each poem and each line: ``number``, of the poem; ``line_of``, the poem that
        the line is the second of; and bits a character after the poem's ``own`` first line,
        after that with ``a word replaced``, and after ``another's``.
    """
    rng = np.random.default_rng(seed)
    begun = {number: text.split("\n")[:2]
             for number, text in zip(poems["number"], poems["text"], strict=True)}  # fmt: skip
    circle = rng.permutation(list(begun))
    rows = []
    for number, other in zip(circle.tolist(), np.roll(circle, -1).tolist(), strict=True):
        rest = [each for each in begun if each not in (number, other)]
        n_drawn = min(N_CANDIDATES - 1, len(rest))
        line_of = [number, *rng.choice(rest, n_drawn, replace=False).tolist()]
        first, foreign = begun[number][0], begun[other][0]
        before = {"own": first, "a word replaced": replace_longest(first, foreign),
                  "another's": foreign}  # fmt: skip
        lines = [begun[each][1] for each in line_of]
        rows.append(pd.DataFrame({
            "number": number, "line_of": line_of,
            **{name: cost_after(line, lines, decoder) for name, line in before.items()},
        }))  # fmt: skip
    return pd.concat(rows).sort_values("number", kind="stable", ignore_index=True)


def load_second_lines(poems: pd.DataFrame, decoder: Decoder) -> pd.DataFrame:
    """Return :func:`second_lines`, kept with the package for the book's decoder.

    With another decoder, of the poems that :func:`load_readings` reads.
    """
    if decoder.model.name_or_path == DEFAULTS["decoder"]:
        with files("layerwise.datasets").joinpath("second_lines.csv").open() as file:
            return pd.read_csv(file)
    return second_lines(poems.loc[shortest_of(poems)], decoder)
