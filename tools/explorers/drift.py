"""Describe how far the poems move from layer to layer, for the explorer of drift."""

import pandas as pd

from layerwise.embedding import embed_layers
from layerwise.similarity import cosine, drift_table
from tools.explorers.examples import packed, run

# What the explorer says of a comparison of layerwise.similarity. Those of a group are drawn
# together, each as a line with its dash. One that is not described here is drawn all the same.
COMPARISONS = {
    "same poem": {
        "label": "the poem itself",
        "explained": "Cosine of a poem in this layer with the same poem in layer 0. Read it "
        "beside “another poem”: most of the fall is common to all.",
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
        "explained": "The baseline of the centred measure. Near zero whatever the model does: "
        "centred vectors add up to zero.",
        "group": "centred",
        "dash": "dashed",
    },
}


def describe_comparison(name: str, cosines: pd.Series) -> dict:
    """Write one comparison for the explorer: what it says of it, and the cosines, packed."""
    plain = {"label": name, "explained": "", "group": "plain", "dash": "dotted"}
    described = plain | COMPARISONS.get(name, {})
    return {"name": name, **described, "values": packed(cosines.to_numpy(), "uint16", -1)}


def make_drift(poems: pd.DataFrame, encoder) -> dict:
    """Describe how far each poem, and each token in it, moves from layer to layer.

    Arrays are packed as uint16 (cosines, -1 to 1) or uint8 (token movement, 0 to 1):

    - ``comparisons``: those of :func:`layerwise.similarity.drift_table`, each with its values
      (n_layers, n_poems).
    - ``pairs``: (n_layers + 1, n_poems, n_poems), the cosine of two poems in one layer.
    - ``moved``: for each poem (n_layers, n_tokens), 1 - cosine of a token with itself one layer
      earlier.
    """
    pooled = embed_layers(poems["text"], encoder, truncate=True, progress=False)
    drift = drift_table(pooled, poems["first_line"]).groupby("comparison", sort=False)["cosine"]
    return {
        "n_layers": len(pooled) - 1,
        "poems": [describe_poem(poem, encoder) for poem in poems.itertuples()],
        "comparisons": [describe_comparison(name, cosines) for name, cosines in drift],
        "pairs": packed(cosine(pooled[:, :, None], pooled[:, None]), "uint16", -1),
    }


def describe_poem(poem, encoder) -> dict:
    """Describe one poem: its text, its tokens and where they stand, how far each moves."""
    input_ids, offsets, hidden, _ = run(poem.text, encoder)
    return {
        "first_line": poem.first_line,
        "title": poem.title if isinstance(poem.title, str) else "",
        "theme": poem.theme,
        "year": int(poem.year),
        "text": poem.text,
        "offsets": [x for span in offsets for x in span],
        "tokens": encoder.tokenizer.convert_ids_to_tokens(input_ids),
        "moved": packed(1 - cosine(hidden[1:], hidden[:-1]), "uint8"),
    }
