"""Describe how far the poems move from layer to layer, for the explorer of drift."""

import numpy as np
import pandas as pd

from layerwise.explorers.drift import describe_drift, describe_text
from layerwise.rotation import rotation_baseline
from layerwise.similarity import drift_table
from tools.explorers.examples import Run, run


def make_drift(poems: pd.DataFrame, encoder) -> dict:
    """Describe how far each poem, and each token in it, moves from layer to layer."""
    described, hidden_states = [], []
    for poem in poems.itertuples():
        its_run = run(poem.text, encoder)
        described.append(describe_poem(poem, its_run, encoder.tokenizer))
        hidden_states.append(its_run.hidden_states)
    pooled = np.stack([states.mean(axis=1) for states in hidden_states], axis=1)
    names = poems["first_line"]
    drift = pd.concat([drift_table(pooled, names), rotation_baseline(hidden_states, names)])
    return describe_drift(described, pooled, drift)


def describe_poem(poem, its_run: Run, tokenizer) -> dict:
    """Describe one poem: what it is called, its tokens, how far each moves."""
    tokens = tokenizer.convert_ids_to_tokens(its_run.input_ids)
    return {
        "first_line": poem.first_line,
        "title": poem.title if isinstance(poem.title, str) else "",
        "theme": poem.theme,
        "year": int(poem.year),
        **describe_text(poem.text, tokens, its_run.offsets, its_run.hidden_states),
    }
