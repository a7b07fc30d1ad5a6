"""A name for each text, so that a table can say which one it means."""

import difflib
from collections.abc import Sequence

import pandas as pd

LONGEST = 60  # characters of a name that is made of a text's first words


def first_words(text: str) -> str:
    """Return the beginning of a text's first line, cut between words."""
    line = " ".join(text.strip().split("\n", 1)[0].split()).rstrip(" ,;:")
    if len(line) <= LONGEST:
        return line
    cut = line[:LONGEST]
    return (cut.rpartition(" ")[0] or cut) + " …"


def name_texts(table: pd.DataFrame) -> list[str]:
    """Name each text by its title, or else its first line; equal titles get the line too.

    Parameters
    ----------
    table : DataFrame
        With a column ``text``, and perhaps ``title``.
    """
    first_lines = [first_words(text) for text in table["text"]]
    titles = table["title"] if "title" in table else [None] * len(table)
    names = [
        title if isinstance(title, str) and title.strip() else line
        for title, line in zip(titles, first_lines, strict=True)
    ]
    names = [
        f"{name} ({line})" if names.count(name) > 1 and name != line else name
        for name, line in zip(names, first_lines, strict=True)
    ]
    return [
        f"{name}, {names[: i + 1].count(name)}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def find_text(name: str, names: Sequence[str]) -> int:
    """Return the position of the text of a name.

    Raises
    ------
    ValueError
        If no text has it; the error suggests others.
    """
    if name in names:
        return list(names).index(name)
    like = difflib.get_close_matches(name, names, cutoff=0.4) or list(names[:3])
    raise ValueError(
        f"no text is named {name!r}: choose another, such as "
        + ", ".join(repr(other) for other in like)
    )
