"""Say who stands on both sides of a split: the same poem or speaker, or nearly the same text.

What is tested must be new to what was trained. A split that is not so looks as good as any:
nothing in its result shows it.

Chapter: ``chapters/task.md``, "Who stands on both sides?".
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

from layerwise.texts.passages import WORD

N_WORDS = 3  # in a run
# Two texts are nearly the same if they share so many runs of words, and so many of the shorter
# one's.
FEWEST_SHARED, SHARE_OF_SHORTER = 5, 0.5
NEARLY_SAME = "nearly the same text"
N_NAMED = 5


def families(texts: Sequence[str]) -> np.ndarray:
    """Number texts so that those that are nearly the same have one number.

    Texts with the same words are, whatever their capitals and punctuation; so are two that
    share at least five runs of three words and half of the shorter one's. One that is nearly
    the same as two others makes a family of all three.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    int array of shape (n_texts,)
    """
    same, first, second = near_pairs(texts)
    n_different = same.max(initial=-1) + 1
    pairs = coo_array((np.ones(len(first)), (first, second)), (n_different, n_different))
    return connected_components(pairs, directed=False)[1][same]


def near_pairs(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find pairs of texts that are themselves nearly the same, see :func:`families`.

    Returns
    -------
    same : int array of shape (n_texts,)
        Texts with the same words have one number.
    first, second : int arrays of shape (n_pairs,)
        Numbers that are nearly the same, both ways, and each with itself.
    """
    words = [" ".join(WORD.findall(text.casefold())) or text for text in texts]
    same, different = pd.factorize(np.array(words, dtype=object))
    if not any(text.count(" ") >= N_WORDS - 1 for text in different):
        alone = np.arange(len(different))
        return same, alone, alone
    counter = CountVectorizer(
        ngram_range=(N_WORDS, N_WORDS), token_pattern=r"\S+", lowercase=False, binary=True
    )
    runs = csr_array(counter.fit_transform(different))  # (n_different, n_runs)
    n_runs = runs.sum(axis=1)
    shared = coo_array(runs @ runs.T)  # (n_different, n_different)
    shorter = np.minimum(n_runs[shared.row], n_runs[shared.col])
    near = (shared.data >= FEWEST_SHARED) & (shared.data >= SHARE_OF_SHORTER * shorter)
    return same, shared.row[near], shared.col[near]


def joined_groups(*groupings: Sequence | np.ndarray) -> np.ndarray:
    """Number texts so that those that any grouping puts together have one number.

    Parameters
    ----------
    *groupings : sequences, one item for each text
        Such as a column of poems, one of speakers, and :func:`families`.

    Returns
    -------
    int array of shape (n_texts,)
    """
    n_texts = len(groupings[0])
    first: list[int] = []
    second: list[int] = []
    for grouping in groupings:
        numbers = pd.factorize(np.asarray(grouping))[0]
        one_of = np.unique(numbers, return_index=True)[1]  # a text of each group
        first += range(n_texts)
        second += one_of[numbers].tolist()
    pairs = coo_array((np.ones(len(first)), (first, second)), (n_texts, n_texts))
    return connected_components(pairs, directed=False)[1]


def find_leaks(
    table: pd.DataFrame,
    tested: Sequence[int] | np.ndarray,
    by: Sequence[str] = (),
    text: str = "text",
) -> pd.DataFrame:
    """List what stands on both sides of a split, by name.

    Parameters
    ----------
    table : DataFrame
        A row a text.
    tested : sequence of int
        The positions of the rows that are tested; all others are trained on.
    by : sequence of str
        Columns whose values must not stand on both sides, such as poems or speakers.
    text : str
        The column of the texts: no text may stand on one side that is nearly the same as one
        on the other, see :func:`families`.

    Returns
    -------
    DataFrame
        A row a leak: ``what``, a column or "nearly the same text"; ``name``, its value or the
        beginning of a tested text; and ``trained`` and ``tested``, positions on either side.

    Raises
    ------
    ValueError
        If the table lacks a column, or a side of the split is empty.
    """
    lacking = [column for column in [*by, text] if column not in table]
    if lacking:
        raise ValueError(f"the table has no column {lacking}: it has {list(table.columns)}")
    is_tested = np.zeros(len(table), dtype=bool)
    is_tested[np.asarray(tested) if len(tested) else []] = True
    if is_tested.all() or not is_tested.any():
        raise ValueError(
            f"{is_tested.sum()} of {len(table)} texts are tested: a split has two sides"
        )
    groupings = {column: table[column].to_numpy() for column in by}
    groupings[NEARLY_SAME] = families(table[text].tolist())
    rows = []
    for what, values in groupings.items():
        known = ~pd.isna(values)
        for value in pd.unique(values[known & is_tested]):
            of_value = known & (values == value)
            sides = [np.flatnonzero(of_value & side).tolist()
                     for side in (~is_tested, is_tested)]  # fmt: skip
            if sides[0]:
                name = table[text].iloc[sides[1][0]][:40] if what == NEARLY_SAME else value
                rows.append((what, name, *sides))
    return pd.DataFrame(rows, columns=["what", "name", "trained", "tested"])


def check_split(
    table: pd.DataFrame,
    tested: Sequence[int] | np.ndarray,
    by: Sequence[str] = (),
    text: str = "text",
) -> None:
    """Refuse a split that leaks; see :func:`find_leaks`.

    Raises
    ------
    ValueError
        If something stands on both sides: says what, by name.
    """
    leaks = find_leaks(table, tested, by, text)
    if leaks.empty:
        return
    named = "; ".join(
        f"{leak.what} {leak.name!r} "
        f"(trained: rows {leak.trained[:3]}, tested: {leak.tested[:3]})"
        for leak in leaks.head(N_NAMED).itertuples()
    )
    more = f"; and {len(leaks) - N_NAMED} more" if len(leaks) > N_NAMED else ""
    raise ValueError(
        f"the split leaks: on both sides stand {named}{more}. Keep each group whole, as "
        "sklearn.model_selection.GroupKFold does with joined_groups()"
    )
