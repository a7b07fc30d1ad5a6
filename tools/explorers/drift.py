"""Describe how far the poems move from layer to layer, for the explorer of drift."""

import numpy as np
import pandas as pd

from layerwise.rotation import rotation_baseline
from layerwise.similarity import cosine, drift_table
from tools.explorers.examples import Run, packed, run

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
        "explained": "The baseline of the centred measure. Near zero whatever the model does: "
        "centred vectors add up to zero.",
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


def describe_comparison(name: str, cosines: pd.Series) -> dict:
    """Write one comparison for the explorer: what it says of it, and the cosines, packed."""
    plain = {"label": name, "explained": "", "group": "plain", "dash": "dotted"}
    described = plain | COMPARISONS.get(name, {})
    return {"name": name, **described, "values": packed(cosines.to_numpy(), "uint16", -1)}


def make_drift(poems: pd.DataFrame, encoder) -> dict:
    """Describe how far each poem, and each token in it, moves from layer to layer.

    Arrays are packed as uint16 (cosines, -1 to 1) or uint8 (token movement, 0 to 1):

    - ``comparisons``: those of :func:`layerwise.similarity.drift_table` and
      :func:`layerwise.rotation.rotation_baseline`, each with its values (n_layers, n_poems).
    - ``pairs``: (n_layers + 1, n_poems, n_poems), the cosine of two poems in one layer.
    - ``moved``: for each poem (n_layers, n_tokens), 1 - cosine of a token with itself one layer
      earlier.
    """
    described, hidden_states = [], []
    for poem in poems.itertuples():
        its_run = run(poem.text, encoder)
        described.append(describe_poem(poem, its_run, encoder.tokenizer))
        hidden_states.append(its_run.hidden_states)
    pooled = np.stack([states.mean(axis=1) for states in hidden_states], axis=1)
    names = poems["first_line"]
    drift = pd.concat([drift_table(pooled, names), rotation_baseline(hidden_states, names)])
    cosines = drift.groupby("comparison", sort=False)["cosine"]
    return {
        "n_layers": len(pooled) - 1,
        "poems": described,
        "comparisons": [describe_comparison(name, of_one) for name, of_one in cosines],
        "pairs": packed(cosine(pooled[:, :, None], pooled[:, None]), "uint16", -1),
    }


def describe_poem(poem, its_run: Run, tokenizer) -> dict:
    """Describe one poem: its text, its tokens and where they stand, how far each moves."""
    hidden = its_run.hidden_states
    return {
        "first_line": poem.first_line,
        "title": poem.title if isinstance(poem.title, str) else "",
        "theme": poem.theme,
        "year": int(poem.year),
        "text": poem.text,
        "offsets": [x for span in its_run.offsets for x in span],
        "tokens": tokenizer.convert_ids_to_tokens(its_run.input_ids),
        "moved": packed(1 - cosine(hidden[1:], hidden[:-1]), "uint8"),
    }
