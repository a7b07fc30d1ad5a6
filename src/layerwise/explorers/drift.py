"""What the explorer of drift is told: comparisons and their words, and how far tokens move."""

import base64

import numpy as np
import pandas as pd

from layerwise.similarity import cosine, directions

# What the explorer says of a comparison of layerwise.similarity or layerwise.rotation. Those of
# a group are drawn together, each as a line with its dash, and their reference, if they have
# one, as a dotted line. One that is not described here is drawn all the same.
COMPARISONS = {
    "same poem": {
        "label": "the poem itself",
        "explained": "Cosine of a poem in this layer with the same poem in layer 0. Read it "
        "beside “another poem”, and see what a rotation or a shift takes away.",
        "group": "plain",
        "dash": "solid",
    },
    "other poem": {
        "label": "another poem",
        "explained": "Cosine of a poem in this layer with another poem in layer 0: what any "
        "text of this kind would show.",
        "group": "plain",
        "dash": "dashed",
    },
    "random pair": {
        "label": "another poem in the same layer",
        "explained": "Cosine of a poem with another poem in the same layer: how close together "
        "the poems lie there.",
        "group": "plain",
        "dash": "dotted",
    },
    "same poem, centred": {
        "label": "the poem itself, centred",
        "explained": "The same after subtracting from each layer what all poems share in it: "
        "what is left belongs to this poem.",
        "group": "centred",
        "dash": "solid",
    },
    "other poem, centred": {
        "label": "another poem, centred",
        "explained": "The baseline of the centred measure. Near zero whatever the model does, "
        "as long as the centred vectors are of similar length: they add up to zero.",
        "group": "centred",
        "dash": "dashed",
    },
    "same poem, rotated": {
        "label": "the poem itself, rotated",
        "explained": "The poem in this layer with itself in layer 0, after one rotation for "
        "all, found on other poems. What it brings back is common to all.",
        "group": "rotated",
        "dash": "solid",
        "reference": "same poem",
    },
    "other poem, rotated": {
        "label": "another poem, rotated",
        "explained": "The baseline of the rotated measure: how near the same rotation brings "
        "other poems.",
        "group": "rotated",
        "dash": "dashed",
        "reference": "same poem",
    },
    "same poem, shifted": {
        "label": "the poem itself, shifted",
        "explained": "The same with a shift: one vector, found on other poems, is added to "
        "every poem in layer 0. Nothing is turned.",
        "group": "shifted",
        "dash": "solid",
        "reference": "same poem",
    },
    "other poem, shifted": {
        "label": "another poem, shifted",
        "explained": "The baseline of the shifted measure: how near the same shift brings "
        "other poems.",
        "group": "shifted",
        "dash": "dashed",
        "reference": "same poem",
    },
    "same poem, centred, rotated": {
        "label": "the poem itself, centred and rotated",
        "explained": "One rotation for all, after subtracting what all poems share: what it "
        "brings back of a poem's own part.",
        "group": "centred and rotated",
        "dash": "solid",
        "reference": "same poem, centred",
    },
    "other poem, centred, rotated": {
        "label": "another poem, centred and rotated",
        "explained": "The baseline of that measure. Near zero, as without the rotation.",
        "group": "centred and rotated",
        "dash": "dashed",
        "reference": "same poem, centred",
    },
}


def packed(array: np.ndarray, dtype: str, low: float = 0.0) -> str:
    """Write numbers between low and 1 as unsigned integers, in base64."""
    limit = np.iinfo(dtype).max
    scaled = np.rint((np.clip(array, low, 1) - low) / (1 - low) * limit)
    little_endian = np.dtype(dtype).newbyteorder("<")
    return base64.b64encode(scaled.astype(little_endian).tobytes()).decode("ascii")


def describe_drift(
    texts: list[dict], pooled: np.ndarray, drift: pd.DataFrame, noun: str = "poem"
) -> dict:
    """Describe how far texts move from layer to layer.

    Arrays are packed as uint16 (cosines, -1 to 1) or uint8 (token movement, 0 to 1):

    - ``comparisons``: those of a table as :func:`layerwise.similarity.drift_table` gives it,
      each with its values (n_layers, n_texts).
    - ``pairs``: (n_layers + 1, n_texts, n_texts), the cosine of two texts in one layer.

    Parameters
    ----------
    texts : list of dict
        From :func:`describe_text`.
    pooled : array of shape (n_layers + 1, n_texts, n_dims)
    drift : DataFrame
        ``comparison``, ``layer``, ``cosine``.
    noun : str
        What a text is called in the explorer.
    """
    unit = directions(pooled)
    cosines = drift.groupby("comparison", sort=False)["cosine"]
    return {
        "noun": noun,
        "n_layers": len(pooled) - 1,
        "poems": texts,
        "comparisons": [describe_comparison(name, of_one, noun) for name, of_one in cosines],
        "pairs": packed(unit @ unit.swapaxes(1, 2), "uint16", -1),
    }


def describe_comparison(name: str, cosines: pd.Series, noun: str) -> dict:
    """Write one comparison for the explorer: what it says of it, and the cosines, packed."""
    plain = {"label": name, "explained": "", "group": "plain", "dash": "dotted"}
    described = plain | COMPARISONS.get(name, {})
    for words in ["label", "explained"]:
        described[words] = described[words].replace("poem", noun)
    return {"name": name, **described, "values": packed(cosines.to_numpy(), "uint16", -1)}


def describe_text(
    text: str, tokens: list[str], offsets: list, hidden_states: np.ndarray
) -> dict:
    """Describe one text: its tokens, where they stand, how far each moves at every step.

    Parameters
    ----------
    text : str
    tokens : list of str
    offsets : list of (start, end)
        Where each token stands in the text, in characters.
    hidden_states : array of shape (n_layers + 1, n_tokens, n_dims)
    """
    return {
        "text": text,
        "offsets": in_utf16(text, offsets),
        "tokens": tokens,
        "moved": packed(1 - cosine(hidden_states[1:], hidden_states[:-1]), "uint8"),
    }


def in_utf16(text: str, offsets: list) -> list[int]:
    """Write offsets one after the other, counted as JavaScript counts characters."""
    counts = np.cumsum([0, *(1 + (ord(character) > 0xFFFF) for character in text)])
    return [int(counts[x]) for span in offsets for x in span]
