"""Describe how far the poems move from layer to layer, for the explorer of drift."""

import pandas as pd

from layerwise.embedding import embed_layers
from layerwise.similarity import cosine, drift_table
from tools.explorers.examples import packed, run

# What the explorer calls a comparison, and what the chapter does
COMPARISONS = {
    "same": "same poem",
    "other": "other poem",
    "centred": "same poem, centred",
    "other_centred": "other poem, centred",
}


def make_drift(poems: pd.DataFrame, encoder) -> dict:
    """Describe how far each poem, and each token in it, moves from layer to layer.

    Arrays are packed as uint16 (cosines, -1 to 1) or uint8 (token movement, 0 to 1):

    - ``same``, ``other``, ``centred``, ``other_centred``: (n_layers, n_poems), the comparisons
      of :func:`layerwise.similarity.drift_table`.
    - ``pairs``: (n_layers + 1, n_poems, n_poems), the cosine of two poems in one layer.
    - ``moved``: for each poem (n_layers, n_tokens), 1 - cosine of a token with itself one layer
      earlier.
    """
    pooled = embed_layers(poems["text"], encoder, truncate=True, progress=False)
    drift = drift_table(pooled, poems["first_line"]).groupby("comparison")["cosine"]
    return {
        "n_layers": len(pooled) - 1,
        "poems": [describe_poem(poem, encoder) for poem in poems.itertuples()],
        **{
            name: packed(drift.get_group(comparison).to_numpy(), "uint16", -1)
            for name, comparison in COMPARISONS.items()
        },
        "pairs": packed(cosine(pooled[:, :, None], pooled[:, None]), "uint16", -1),
    }


def describe_poem(poem, encoder) -> dict:
    """Describe one poem: its text, its tokens and where they stand, how far each moves."""
    input_ids, hidden, _ = run(poem.text, encoder)
    pieces = encoder.tokenizer(
        poem.text, padding=False, truncation=True,
        max_length=encoder.model.config.max_position_embeddings,
        return_offsets_mapping=True,
    )  # fmt: skip
    return {
        "first_line": poem.first_line,
        "title": poem.title if isinstance(poem.title, str) else "",
        "theme": poem.theme,
        "year": int(poem.year),
        "text": poem.text,
        "offsets": [x for span in pieces["offset_mapping"] for x in span],
        "tokens": encoder.tokenizer.convert_ids_to_tokens(input_ids),
        "moved": packed(1 - cosine(hidden[1:], hidden[:-1]), "uint8"),
    }
