"""The model as pictures: the whole of it, its tokenizer, attention, heads, and pooling.

Numbers are the model's, and the alt text of a picture is made from the same numbers.
"""

from collections.abc import Collection, Sequence

import numpy as np
from IPython.display import HTML

from layerwise.display import number
from layerwise.figures.drawing import arrow, bar, box, diagram, text

# The parts of an encoder, in the order in which the chapters come to them.
PARTS = ("tokens", "embeddings", "attention", "feed-forward", "layers", "output")


def model_diagram(config, now: str | None = None) -> HTML:
    """Draw a whole encoder, read from top to bottom, with the part that comes next marked.

    Parameters
    ----------
    config : BertConfig
        ``model.config``: layers, heads and dimensions are taken from it.
    now : one of ``PARTS``, optional
        Marked; the parts after it are drawn as still to come. Without it, all are known.

    Raises
    ------
    ValueError
        If there is no such part.
    """
    if now is not None and now not in PARTS:
        raise ValueError(f"the model has no part {now!r}: use one of {list(PARTS)}")
    reached = PARTS.index(now) if now else len(PARTS)
    borders = {
        part: "now" if part == now else "plain" if i < reached else "later"
        for i, part in enumerate(PARTS)
    }
    n_layers, n_dims = config.num_hidden_layers, config.hidden_size
    shapes = [
        box(70, 4, 200, 44, border=borders["tokens"]),
        text(170, 22, "tokenizer"),
        text(170, 40, "text → input IDs", size=12),
        arrow((170, 48), (170, 70)),
        text(178, 63, "(tokens)", "start", 12),
        *embeddings_part(70, borders["embeddings"]),
        arrow((170, 150), (170, 208)),
        text(162, 167, "hidden state 0", "end", 12),
        text(178, 167, f"(tokens, {n_dims})", "start", 12),
        *first_layer_part(config, 180, borders),
        arrow((170, 384), (170, 412)),
        text(162, 402, "hidden state 1", "end", 12),
        text(178, 402, f"(tokens, {n_dims})", "start", 12),
        *other_layers_part(n_layers, 412, borders["layers"]),
        arrow((170, 462), (170, 490)),
        text(162, 480, f"hidden state {n_layers}", "end", 12),
        text(178, 480, f"(tokens, {n_dims})", "start", 12),
        box(40, 490, 260, 44, border=borders["output"]),
        text(170, 508, "output"),
        text(170, 526, "a vector a token; pooled, one a text", size=12),
    ]
    later = [part for part in PARTS if borders[part] == "later"]
    alt = (
        "The model as a column of boxes, from top to bottom: a tokenizer; embeddings, where "
        f"word, position and token type are added and normalized; {n_layers} layers, each with "
        f"attention of {config.num_attention_heads} heads and a feed-forward part, each added "
        f"to its input and normalized; and the output, {n_dims} numbers a token. "
        + (f"Marked: {now}. " if now else "")
        + (f"Still to come: {', '.join(later)}." if later else "")
    )
    caption = f"You are at the marked part, {now}." if now else "The whole model."
    caption += " Dashed: still to come." if later else ""
    return diagram(shapes, 540, alt.strip(), caption)


def embeddings_part(y: float, border: str) -> list[str]:
    """Draw what makes hidden state 0: three lookups, a sum, a normalization."""
    shapes = [box(10, y, 320, 80, border=border), text(170, y + 17, "embeddings")]
    for x, name in [(20, "word"), (125, "position"), (230, "token type")]:
        shapes.append(box(x, y + 25, 90, 24, name))
    shapes += [text(117.5, y + 42, "+"), text(222.5, y + 42, "+")]
    return [*shapes, text(170, y + 69, "add, LayerNorm", size=12)]


def first_layer_part(config, y: float, borders: dict[str, str]) -> list[str]:
    """Draw one layer: attention and feed-forward, each with the way around it."""
    n_dims, wide = config.hidden_size, config.intermediate_size
    shapes = [
        box(10, y, 320, 204),
        text(18, y + 18, "layer 1", "start"),
        box(50, y + 28, 240, 46, border=borders["attention"]),
        text(170, y + 46, "attention"),
        text(170, y + 64, f"query, key, value; {config.num_attention_heads} heads", size=12),
        box(50, y + 120, 240, 46, border=borders["feed-forward"]),
        text(170, y + 138, "feed-forward"),
        text(170, y + 156, f"{n_dims:,} → {wide:,} → {n_dims:,}", size=12),
    ]
    for top, sums in [(y + 22, y + 97), (y + 112, y + 189)]:
        shapes += [
            arrow((170, sums - 23), (170, sums - 11)),
            text(170, sums + 4, "add, LayerNorm", size=12),
            # what comes in goes around the part, and is added to what the part returns
            arrow((170, top), (306, top), (306, sums), (222, sums)),
        ]
    return [*shapes, arrow((170, y + 104), (170, y + 120))]


def other_layers_part(n_layers: int, y: float, border: str) -> list[str]:
    """Draw the layers after the first, which are built alike."""
    which = f"layers 2 to {n_layers}" if n_layers > 2 else f"layer {n_layers}"
    return [
        box(10, y, 320, 50, border=border),
        text(170, y + 21, which),
        text(170, y + 40, "built alike, with weights of their own", size=12),
    ]


def spelling_attempts(word: str, vocabulary: Collection[str]) -> list[tuple[int, int, bool]]:
    """List what a WordPiece tokenizer tries: from where, to where, and whether it is a piece.

    From the left, the longest first. Ends early where not even one letter is a piece.
    """
    attempts, start, end = [], 0, len(word)
    while start < end:
        found = ("##" if start else "") + word[start:end] in vocabulary
        attempts.append((start, end, found))
        start, end = (end, len(word)) if found else (start, end - 1)
    return attempts


def tokenizer_diagram(word: str, vocabulary: Collection[str]) -> HTML:
    """Draw a tokenizer at work on a word: each thing it tries, and what it keeps.

    Parameters
    ----------
    word : str
        In lower case, at most 20 letters.
    vocabulary : dict, set or list of str
        ``tokenizer.get_vocab()``.

    Raises
    ------
    ValueError
        If the word has no letter, or more than fit.
    """
    if not 1 <= len(word) <= 20:
        raise ValueError(f"{word!r} has {len(word)} letters: draw a word of 1 to 20")
    attempts = spelling_attempts(word, vocabulary)
    cell = min(24, 236 / len(word))
    shapes = []
    for row, (start, end, found) in enumerate(attempts):
        y = 6 + 30 * row
        for i, letter in enumerate(word[start:], start):
            border = "later" if i >= end else "now" if found else "plain"
            shapes.append(box(6 + i * cell, y, cell - 3, 24, letter, border))
        verdict = "✓ " + ("##" if start else "") + word[start:end] if found else "no"
        shapes.append(text(12 + len(word) * cell, y + 17, verdict, "start"))
    pieces = [("##" if i else "") + word[i:j] for i, j, found in attempts if found]
    spelled = attempts[-1][2]  # the last attempt found the last piece
    result = " ".join(pieces) if spelled else "[UNK]: not even its next letter is a piece"
    alt = (
        f"A tokenizer at work on “{word}”: {len(attempts)} attempts, a row each, one letter "
        f"shorter than the last until a piece is found. Result: {result}."
    )
    return diagram(shapes, 6 + 30 * len(attempts), alt, f"The longest piece first: {result}.")


def attention_diagram(
    tokens: Sequence[str], shares: Sequence[float], looking: int, n_dims: int, d_k: int
) -> HTML:
    """Draw one look of one head: a query against every key, shares, and the values they mix.

    Parameters
    ----------
    tokens : sequence of str
        At most 14, so that the picture fits a screen.
    shares : sequence of float
        The looking token's row of attention weights; it sums to one.
    looking : int
        Which token looks.
    n_dims, d_k : int
        The size of the model and of one head.

    Raises
    ------
    ValueError
        If there is not a share for each token, or there are too many.
    """
    if len(tokens) != len(shares) or len(tokens) > 14:
        raise ValueError(
            f"{len(tokens)} tokens and {len(shares)} shares: pass a share for each of at most "
            "14 tokens"
        )
    weights, looker = np.asarray(shares, dtype=float), tokens[looking]
    shapes = [
        box(6, 4, 200, 26, f"“{looker}”: {n_dims} numbers"),
        arrow((106, 30), (106, 50)),
        box(86, 50, 120, 26, f"its query: {d_k}", "now"),
        *[
            text(x, 98, name, anchor, 12)
            for x, name, anchor in [
                (6, "token", "start"),
                (118, "key", "middle"),
                (150, "share", "start"),
                (302, "value", "middle"),
            ]
        ],
        arrow((106, 76), (106, 86)),
    ]
    for i, (token, share) in enumerate(zip(tokens, weights, strict=True)):
        y = 104 + 27 * i
        shapes += [
            text(6, y + 16, token if len(token) < 12 else token[:10] + "…", "start"),
            box(96, y, 44, 22, str(d_k)),
            bar(150, y + 3, max(1.0, 84 * share / max(weights.max(), 0.01)), 16),
            text(240, y + 16, f"{share:.2f}", "start", 12),
            box(280, y, 44, 22, str(d_k)),
        ]
    below = 104 + 27 * len(tokens)
    shapes += [
        arrow((302, below), (302, below + 22)),
        box(124, below + 22, 200, 26, f"mixture of values: {d_k}", "now"),
    ]
    listed = ", ".join(f"{t} {s:.2f}" for t, s in zip(tokens, weights, strict=True))
    alt = (
        f"One head, one look: “{looker}” is turned from {n_dims} numbers into a query of "
        f"{d_k}, which meets the key of each token. The shares: {listed}. In these shares the "
        f"values are mixed into {d_k} numbers. Largest: {tokens[int(weights.argmax())]}."
    )
    return diagram(shapes, below + 54, alt, f"How “{looker}” looks at its line in one head.")


def heads_diagram(n_dims: int, n_heads: int) -> HTML:
    """Draw how a token's vector is cut into heads and put together again.

    Raises
    ------
    ValueError
        If n_heads does not divide n_dims.
    """
    if n_heads < 1 or n_dims % n_heads:
        raise ValueError(
            f"{n_dims} dimensions cannot be cut into {n_heads} heads of equal size"
        )
    d_k, width = n_dims // n_heads, 328 / n_heads
    middles = [6 + width * (head + 0.5) for head in range(n_heads)]
    shapes = [
        box(6, 4, 328, 26, f"query, key, value: {n_dims} numbers each"),
        text(170, 122, f"each of {n_heads} heads attends by itself, on {d_k}", size=12),
        box(6, 158, 328, 26, f"side by side again: {n_dims} numbers"),
    ]
    for head, middle in enumerate(middles, start=1):
        shapes += [
            arrow((middle, 30), (middle, 56)),
            box(middle - width / 2 + 1, 56, width - 2, 48, border="now"),
            text(middle, 85, str(head), size=12 if n_heads <= 16 else 9),
            arrow((middle, 130), (middle, 158)),
        ]
    alt = (
        f"A token's query, key and value, of {n_dims} numbers each, are cut into {n_heads} "
        f"pieces of {d_k}. Each of {n_heads} heads attends by itself, on one piece. The "
        f"{n_heads} results are put side by side again, {n_dims} numbers."
    )
    return diagram(shapes, 190, alt, "Heads: cut, attend, put side by side.")


def pooling_diagram(tokens: Sequence[str], vectors: np.ndarray, mask: Sequence[int]) -> HTML:
    """Draw how a text's tokens become one vector: the first token's, the mean, the maximum.

    Parameters
    ----------
    tokens : sequence of str
        At most 5: a small example, [CLS] first.
    vectors : array of shape (n_tokens, n_dims)
        At most 6 dimensions.
    mask : sequence of int
        1 for a token that counts, 0 for padding, which is drawn dashed and does not count.

    Raises
    ------
    ValueError
        If there is not a vector and a mask for each token, there are too many, or the mask
        counts none.
    """
    vectors, counts = np.asarray(vectors, dtype=float), np.asarray(mask).astype(bool)
    fits = vectors.ndim == 2 and vectors.shape[0] <= 5 and vectors.shape[1] <= 6
    if not fits or not len(tokens) == len(vectors) == len(counts) or not counts.any():
        raise ValueError(
            f"{len(tokens)} tokens, vectors of shape {vectors.shape}, a mask of {len(counts)}: "
            "pass a vector of at most 6 numbers and a mask for each of at most 5 tokens, of "
            "which one counts"
        )
    pooled = {"[CLS]": vectors[0], "mean": vectors[counts].mean(axis=0),
              "max": vectors[counts].max(axis=0)}  # fmt: skip
    left = 334 - 3 * 38  # of the pooled columns
    width = 38
    shapes = [arrow((left - 19, 54), (left - 4, 54))]
    columns = [(6 + width * i, name, vectors[i], "plain" if counts[i] else "later")
               for i, name in enumerate(tokens)]  # fmt: skip
    columns += [(left + width * i, name, vector, "now")
                for i, (name, vector) in enumerate(pooled.items())]  # fmt: skip
    for x, name, vector, border in columns:
        shapes.append(text(x + (width - 3) / 2, 20, name, size=11))
        for row, value in enumerate(vector):
            shapes.append(box(x, 28 + 26 * row, width - 3, 24, number(value, 1), border))
    listed = "; ".join(
        f"{name} {', '.join(number(x, 1) for x in vector)}" for name, vector in pooled.items()
    )
    alt = (
        f"{len(tokens)} tokens, each a column of {vectors.shape[1]} numbers; those that count "
        f"are {', '.join(np.array(tokens)[counts])}. Three ways to make one column of them: "
        f"{listed}."
    )
    caption = "Three ways from tokens to a text. Dashed: padding, which does not count."
    return diagram(shapes, 34 + 26 * vectors.shape[1], alt, caption)
