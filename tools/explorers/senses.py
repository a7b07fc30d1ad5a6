"""Compute the places of words of two senses, and what is nearest to each in every layer."""

import numpy as np
import pandas as pd

from layerwise.models import Encoder
from layerwise.occurrences import (
    AMBIGUOUS,
    draw_balanced,
    embed_places,
    find_occurrences,
    nearest_elsewhere,
    passages_of,
)

MOST = 40  # of each sense, as the chapter says: more would be a page of their own to load


def make_senses(speeches: pd.DataFrame, encoder: Encoder) -> dict:
    """Describe for each word its places, and the nearest ones by other speakers.

    Returns
    -------
    dict
        ``words``: for each ``word`` its ``places`` (speaker, year, before, found, after) and
        ``nearest``, for each layer and place the numbers of five others.
    """
    rng = np.random.default_rng(0)
    described = []
    for word in AMBIGUOUS:
        places = draw_balanced(find_occurrences(speeches, word), MOST, rng)
        layers = embed_places(*passages_of(places), encoder)
        nearest = [nearest_elsewhere(layer, places["speaker"]).tolist() for layer in layers]
        columns = ["speaker", "year", "before", "found", "after"]
        described.append({
            "word": word, "places": places[columns].to_dict("records"), "nearest": nearest,
        })  # fmt: skip
    return {"n_layers": len(layers) - 1, "words": described}
