"""Whether there are texts enough to be compared: known before any model is loaded."""

import pandas as pd

from layerwise.display import count
from layerwise.report.words import row_ranges

FEWEST_TEXTS = 3


def check_enough(n_texts: int, passages: str | None, left_out: str = "") -> None:
    """Refuse texts that are too few.

    Parameters
    ----------
    n_texts : int
        Texts, or passages if they are cut.
    passages : str or None
        What they are cut by.
    left_out : str
        Why there are no more.

    Raises
    ------
    ValueError
        If there are fewer than three.
    """
    if n_texts >= FEWEST_TEXTS:
        return
    what = count(n_texts, "passage" if passages else "text")
    hint = "" if passages else "; a long text can be cut: --passages paragraph"
    because = f" ({left_out})" if left_out else ""
    raise ValueError(
        f"{what}{because} cannot be compared: at least {FEWEST_TEXTS} are needed{hint}"
    )


def what_was_left_out(report: pd.DataFrame) -> str:
    """Say which rows of a file were left out, and why; nothing if none was."""
    out = report[report["done"].str.startswith("left out")]
    said = []
    for x in out.itertuples():
        rows = f": {'row' if x.n_rows == 1 else 'rows'} {row_ranges(x.rows)}" if x.rows else ""
        said.append(f"{x.found}{rows}")
    return f"left out are {'; '.join(said)}" if said else ""
