"""Tables of cosines: a row for each comparison, layer and text, and the medians over texts.

Chapter: ``chapters/context.md``, "Drift from the static layer".
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def as_table(cosines: dict[str, np.ndarray], titles: Sequence[str]) -> pd.DataFrame:
    """Write cosines, each array (n_layers, n_texts), as rows: comparison, layer, title."""
    n_layers, n_texts = next(iter(cosines.values())).shape
    if len(titles) != n_texts:
        raise ValueError(f"{n_texts} texts, but {len(titles)} titles")
    index = pd.MultiIndex.from_product(
        [list(cosines), range(1, n_layers + 1), list(titles)],
        names=["comparison", "layer", "title"],
    )
    values = np.stack(list(cosines.values())).ravel()
    return pd.DataFrame({"cosine": values}, index=index).reset_index()


def medians_by_layer(table: pd.DataFrame) -> pd.DataFrame:
    """Take the median over the texts: a row for each comparison, a column for each layer.

    Parameters
    ----------
    table : DataFrame
        Columns ``comparison``, ``layer``, ``title`` and ``cosine``.
    """
    groups = table.groupby(["comparison", "layer"], sort=False)
    return groups["cosine"].median().unstack()
