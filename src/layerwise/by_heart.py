"""Whether a model that writes goes on with a text as its author did, and whether it could.

Chapter: ``chapters/writing.md``, "Has it read Dickinson?".
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from layerwise.decoders import Decoder
from layerwise.surprisal import read_text, token_ids
from layerwise.texts.passages import sentence_spans

# Beginnings and ends of texts that nobody on the web can miss: a measure that finds nothing
# has to find something here.
WIDELY_KNOWN = {
    "Declaration of Independence": (
        "We hold these truths to be self-evident,",
        " that all men are created equal, that they are endowed by their Creator with "
        "certain unalienable Rights, that among these are Life, Liberty"),
    "printers' Latin": (
        "Lorem ipsum dolor sit amet,",
        " consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore"),
    "Pledge of Allegiance": (
        "I pledge allegiance to the Flag",
        " of the United States of America, and to the Republic for which it stands"),
    "Lord's Prayer": (
        "Our Father which art in heaven, Hallowed be thy name.",
        " Thy kingdom come. Thy will be done in earth, as it is in heaven."),
    "Hamlet": (
        "To be, or not to be,",
        " that is the question: Whether 'tis nobler in the mind to suffer"),
    "Tyger": (
        "Tyger Tyger, burning bright,\n",
        "In the forests of the night;\nWhat immortal hand or eye,"),
}  # fmt: skip


def recited(ranks: Sequence[int] | np.ndarray) -> int:
    """Return how many tokens in a row have rank 0, from the first on."""
    ranks = np.asarray(ranks)
    return int(np.argmax(ranks > 0)) if (ranks > 0).any() else len(ranks)


def recited_of_known(decoder: Decoder) -> dict[str, int]:
    """Return how many tokens of each widely known text a model goes on with.

    One that is longer than the model reads at once is left out.
    """
    limit = decoder.model.config.max_position_embeddings
    return {
        name: recited(read_text(rest, decoder, begun)["rank"])
        for name, (begun, rest) in WIDELY_KNOWN.items()
        if len(token_ids(rest, decoder, begun)[0]) <= limit
    }


def place_to_go_on(text: str, is_verse: bool) -> int:
    """Return where the second line begins, or sentence; the second half if there is one only.

    The character that is returned is the first one that the model has to go on with.
    """
    if is_verse:
        end = text.find("\n") + 1
    else:
        spans = sentence_spans(text)
        end = spans[1][0] if len(spans) > 1 else 0
    return end or text.find(" ", len(text) // 2) + 1 or len(text)


def ranks_after(tokens: pd.DataFrame, place: int, n_characters: int) -> np.ndarray:
    """Return the ranks of a text's tokens, from the one on that holds a character.

    Parameters
    ----------
    tokens : DataFrame
        From :func:`layerwise.surprisal.read_text`.
    place : int
        Of the character.
    n_characters : int
        How long the text is.
    """
    ends = np.append(tokens["start"].to_numpy()[1:], n_characters)
    return tokens["rank"].to_numpy()[ends > place]
