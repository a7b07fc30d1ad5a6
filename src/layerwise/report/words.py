"""How numbers and lists are written in the report."""

from collections.abc import Sequence

from layerwise.display import number


def percent(x: float) -> str:
    """Write a share as a whole percentage, the one that ``number`` writes as two decimals."""
    return f"{float(f'{x:.2f}'):.0%}"


def p_value(p: float) -> str:
    """Write a p value as every number is written here, to three digits."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def interval(low_and_high: Sequence[float], write=number) -> str:
    """Write an interval."""
    low, high = low_and_high
    return f"{write(low)} to {write(high)}"


def listing(names: Sequence[str]) -> str:
    """Write names in a row: a; a and b; a, b, and c."""
    *others, last = names
    if len(others) < 2:
        return " and ".join(names)
    return f"{', '.join(others)}, and {last}"


def cut_into(pieces: float) -> str:
    """Begin a sentence on how many tokens a word is cut into."""
    return (
        "The tokenizer cuts a word of these texts (of a script without spaces, a character) "
        f"into {number(pieces, 1)} pieces"
    )


def row_ranges(rows: Sequence[int], most: int = 12) -> str:
    """Write numbers of rows, neighbours as a range: 3–7, 9."""
    ranges: list[list[int]] = []
    for row in sorted(rows):
        if ranges and row == ranges[-1][1] + 1:
            ranges[-1][1] = row
        else:
            ranges.append([row, row])
    shown = [f"{a}" if a == b else f"{a}–{b}" for a, b in ranges[:most]]
    return ", ".join(shown) + (" …" if len(ranges) > most else "")
