"""Read the poems with the book's decoder under every condition, once, for chapter and page.

    python -m tools.data.readings

Takes a quarter of an hour on one core. ``tests/unit/test_surprisal.py`` reads some of them
again.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from layerwise.checkpoints import DEFAULTS
from layerwise.decoders import Decoder, load_decoder
from layerwise.surprisal import cost_after, read_versions, reorder, versions
from layerwise.texts.poems import load_poems, split_stanzas
from tools.desk import ROOT, run_command, say

DATA = ROOT / "data" / "datasets"
WITH_ALTERNATIVES = ("printed", "own title")  # the conditions that the page shows
N_CANDIDATES = 10


def main() -> int:
    """Write both tables; return the exit status."""
    return run_command(lambda: make(DATA))


def make(folder: Path) -> int:
    """Write both tables into a folder."""
    decoder, poems = load_decoder(DEFAULTS["decoder"], device="cpu"), load_poems()
    readings = read_versions(versions(poems, decoder), decoder)
    hidden = ~readings["condition"].isin(WITH_ALTERNATIVES)
    readings.loc[hidden, "alternatives"] = None
    readings["bits"] = readings["bits"].round(3).astype("float32")
    whole = ["start", "token", "rank", "number"]
    readings[whole] = readings[whole].astype("int32")
    write(readings, folder / "readings.parquet")
    write(second_lines(poems, decoder), folder / "second_lines.parquet")
    return 0


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table as parquet, as small as it gets."""
    table.to_parquet(path, compression="zstd", compression_level=19, index=False)
    say(f"{path.name}: {len(table)} rows, {path.stat().st_size / 1000:.0f} kB")


def second_lines(poems: pd.DataFrame, decoder: Decoder, seed: int = 0) -> pd.DataFrame:
    """Say what the true second line of each poem costs after its first, and what others do.

    Returns
    -------
    DataFrame
        A row for each candidate: ``number`` of the poem; ``candidate``, that of the poem whose
        second line it is; the bits ``after_first``, the same ``after_replaced``, where the last
        word of the first line is another poem's, and ``alone``; ``n_characters``.
    """
    rng = np.random.default_rng(seed)
    lines = {
        number: [line for stanza in split_stanzas(text) for line in stanza][:2]
        for number, text in zip(poems["number"], poems["text"], strict=True)
    }
    numbers = list(lines)
    alone = dict(zip(numbers, cost_after("", [b for _, b in lines.values()], decoder),
                     strict=True))  # fmt: skip
    of = dict(zip(numbers, reorder(numbers, rng), strict=True))
    rows = []
    for number, (first, _) in lines.items():
        others = [n for n in numbers if n != number]
        chosen = [number, *rng.choice(others, N_CANDIDATES - 1, replace=False).tolist()]
        candidates = [lines[n][1] for n in chosen]
        word = lines[of[number] if of[number] != number else others[0]][0].split(" ")[-1]
        replaced = " ".join([*first.split(" ")[:-1], word])
        costs = [cost_after(f"{text}\n", candidates, decoder) for text in (first, replaced)]
        rows += [
            (number, n, after, after_replaced, alone[n], len(line))
            for n, line, after, after_replaced in zip(chosen, candidates, *costs, strict=True)
        ]
    columns = ["number", "candidate", "after_first", "after_replaced", "alone", "n_characters"]
    return pd.DataFrame(rows, columns=columns).round(3)


if __name__ == "__main__":
    sys.exit(main())
