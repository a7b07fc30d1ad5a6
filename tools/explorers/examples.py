"""Run lines through the model, and pack what a page needs to show of them."""

from typing import NamedTuple

import numpy as np
import torch

from layerwise.explorers.drift import packed
from layerwise.similarity import cosine

# Public domain: from Poems by Emily Dickinson, Boston 1890, 1891, 1896.
LINES = [
    "Because I could not stop for Death,",
    "Hope is the thing with feathers",
    "I'm nobody! Who are you?",
    "The soul selects her own society,",
    "There's a certain slant of light,",
]


class Run(NamedTuple):
    """What the encoder makes of one line.

    Attributes
    ----------
    input_ids : list of int
    offsets : list of list of int
        Where each token begins and ends in the line, in characters.
    hidden_states : array of shape (n_layers + 1, n_tokens, n_dims)
    attentions : array of shape (n_layers, n_heads, n_tokens, n_tokens)
    """

    input_ids: list[int]
    offsets: list[list[int]]
    hidden_states: np.ndarray
    attentions: np.ndarray


def run(line: str, encoder) -> Run:
    """Run one line through the encoder."""
    window = encoder.model.config.max_position_embeddings
    batch = encoder.tokenizer(
        line, padding=False, truncation=True, max_length=window, return_tensors="pt",
        return_offsets_mapping=True,
    ).to(encoder.device)  # fmt: skip
    offsets = batch.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        outputs = encoder.model(**batch, output_hidden_states=True, output_attentions=True)
    return Run(
        batch["input_ids"][0].tolist(),
        offsets,
        torch.cat(outputs.hidden_states).float().cpu().numpy(),
        torch.cat(outputs.attentions).float().cpu().numpy(),
    )


def make_example(line: str, encoder) -> dict:
    """Describe one line: its pieces, and what every layer does to them.

    ``attentions`` has shape (n_layers, n_heads, n_tokens, n_tokens), 65535 is 1; ``moved``,
    each token's 1 - cosine with itself in layer 0, (n_layers + 1, n_tokens), 255 is 1.
    """
    input_ids, _, hidden_states, attentions = run(line, encoder)
    return {
        "text": line,
        "input_ids": input_ids,
        "tokens": encoder.tokenizer.convert_ids_to_tokens(input_ids),
        "moved": packed(1 - cosine(hidden_states, hidden_states[:1]), "uint8"),
        "attentions": packed(attentions, "uint16"),
    }
