"""Describe how far the poems move from layer to layer, for the explorer of drift."""

import numpy as np
import pandas as pd

from tools.explorers.examples import packed, run


def make_drift(poems: pd.DataFrame, encoder) -> dict:
    """Describe how far each poem, and each token in it, moves from layer to layer.

    Arrays are packed as uint16 (cosines, -1 to 1) or uint8 (token movement, 0 to 1):

    - ``same``, ``other``, ``centred``, ``other_centred``: (n_layers, n_poems), the cosine of a
      poem's pooled layer with layer 0 of itself, or the mean of it with layer 0 of every other
      poem; centred, the mean of all poems is first subtracted from each layer.
    - ``pairs``: (n_layers + 1, n_poems, n_poems), the cosine of two poems in one layer.
    - ``moved``: for each poem (n_layers, n_tokens), 1 - cosine of a token with itself one layer
      earlier.
    """
    pooled, described = [], []
    for poem in poems.itertuples():
        input_ids, hidden, _ = run(poem.text, encoder)
        pooled.append(hidden.mean(axis=1))
        pieces = encoder.tokenizer(
            poem.text, padding=False, truncation=True,
            max_length=encoder.model.config.max_position_embeddings,
            return_offsets_mapping=True,
        )
        described.append(
            {
                "first_line": poem.first_line,
                "title": poem.title if isinstance(poem.title, str) else "",
                "theme": poem.theme,
                "year": int(poem.year),
                "text": poem.text,
                "offsets": [x for span in pieces["offset_mapping"] for x in span],
                "tokens": encoder.tokenizer.convert_ids_to_tokens(input_ids),
                "moved": packed(1 - cosines(hidden[1:], hidden[:-1]), "uint8"),
            }
        )
    pooled = np.stack(pooled, axis=1)  # (n_layers + 1, n_poems, n_dims)
    centred = pooled - pooled.mean(axis=1, keepdims=True)
    # (n_layers, n_poems of the layer, n_poems of layer 0)
    to_static = cosines(pooled[1:, :, None], pooled[0][None, None])
    to_static_centred = cosines(centred[1:, :, None], centred[0][None, None])
    return {
        "n_layers": len(pooled) - 1,
        "poems": described,
        "same": packed(diagonal(to_static), "uint16", -1),
        "other": packed(mean_of_others(to_static), "uint16", -1),
        "centred": packed(diagonal(to_static_centred), "uint16", -1),
        "other_centred": packed(mean_of_others(to_static_centred), "uint16", -1),
        "pairs": packed(cosines(pooled[:, :, None], pooled[:, None]), "uint16", -1),
    }


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each pair of vectors, along the last axis."""
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def diagonal(table: np.ndarray) -> np.ndarray:
    """Take table[layer, i, i] for every layer and i."""
    return np.diagonal(table, axis1=1, axis2=2)


def mean_of_others(table: np.ndarray) -> np.ndarray:
    """Average table[layer, i, j] over every j but i."""
    return (table.sum(axis=2) - diagonal(table)) / (table.shape[2] - 1)


def load_poems(path: str | None) -> pd.DataFrame | None:
    """Read the poems: a parquet or JSON file, the book's own, or None if there are none yet."""
    if path is not None:
        return pd.read_parquet(path) if path.endswith(".parquet") else pd.read_json(path)
    try:
        from layerwise.texts.poems import load_poems as load_book_poems

        return load_book_poems()
    except (ImportError, FileNotFoundError):
        return None
