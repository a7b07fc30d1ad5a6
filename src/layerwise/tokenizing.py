"""From what a caller passes to input IDs: texts, or a sentence that says what is wrong.

Chapter: ``chapters/tokens.md``, "Input IDs".
"""

import copy
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from layerwise.arrays import one_line
from layerwise.models import Encoder, context_window, number_of_tokens

N_NAMED = 10  # bad texts that a message names one by one


def check_texts(texts: Iterable[str]) -> list[str]:
    """Check that texts are some strings, none of them empty, and make a list of them.

    Parameters
    ----------
    texts : list, column of a table, array or other series of str

    Raises
    ------
    TypeError
        If it is no series of texts, or some of the texts are not strings.
    ValueError
        If there are no texts, or some of them are empty or half characters.
    """
    texts = list_of_texts(texts)
    if not texts:
        raise ValueError("texts is empty: pass at least one text")
    wrong = {i: f"is {one_line(text)}, of type {type(text).__name__}, not a string"
             for i, text in enumerate(texts) if not isinstance(text, str)}  # fmt: skip
    if wrong:
        raise TypeError(name_all(wrong, texts) + ": leave it out, or turn it into a string")
    wrong = {i: f"is empty ({text!r:.40})" for i, text in enumerate(texts) if not text.strip()}
    if wrong:
        raise ValueError(name_all(wrong, texts) + ": leave it out, or give it words")
    wrong = {i: f"({text!r:.40}) has half a character, {half!r}, left by a wrong encoding"
             for i, text in enumerate(texts) if (half := half_character(text))}  # fmt: skip
    if wrong:
        raise ValueError(
            name_all(wrong, texts) + ": read its file in the encoding it was written in, such "
            "as open(path, encoding='latin-1')"
        )
    return [str(text) for text in texts]  # a NumPy string is one, too


def list_of_texts(texts) -> list:
    """Make a list of a series of anything; refuse what is no series, by name."""
    kind = type(texts).__name__
    columns = getattr(texts, "column_names", getattr(texts, "columns", None))
    shape = getattr(texts, "shape", None)
    if isinstance(texts, str):
        raise TypeError(f"texts is one string, {texts[:40]!r}: put it in a list, [text]")
    if isinstance(texts, bytes | bytearray | memoryview):
        raise TypeError(f"texts is {kind}: decode it, and put it in a list, [text.decode()]")
    if columns is not None:
        names = list(columns)
        column = "text" if "text" in names else names[0] if names else "text"
        raise TypeError(
            f"texts is a table ({kind}) with the columns {names}: pass one column, such as "
            f"table[{column!r}]"
        )
    if isinstance(texts, Mapping):
        raise TypeError(f"texts is a {kind}: pass its values, list(texts.values())")
    if isinstance(texts, set | frozenset):
        raise TypeError(f"texts is a {kind}, which has no order: pass sorted(texts)")
    if shape is not None and len(shape) != 1:
        raise TypeError(f"texts is a {kind} of shape {tuple(shape)}: pass one column of it")
    if hasattr(texts, "to_pylist"):  # a column of Arrow
        return texts.to_pylist()
    try:
        return list(texts)
    except TypeError:
        raise TypeError(
            f"texts is {one_line(texts)}, of type {kind}: pass a list of strings"
        ) from None


def half_character(text: str) -> str | None:
    """Return the first code point of a text that is only half a character, if there is one."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return text[error.start]
    return None


def name_all(wrong: Mapping[int, str], texts: Sequence) -> str:
    """Say what is wrong with which texts: the first ten, and how many there are."""
    named = "; ".join(f"text {i} {what}" for i, what in list(wrong.items())[:N_NAMED])
    more = f"; and {len(wrong) - N_NAMED} more" if len(wrong) > N_NAMED else ""
    count = f"{len(wrong)} of {len(texts)} texts: " if len(wrong) > 1 else ""
    return f"{count}{named}{more}"


def tokenize(texts: Sequence[str], encoder: Encoder, truncate: bool) -> list[dict[str, Tensor]]:
    """Turn texts into what the model reads, none longer than the context window.

    Returns
    -------
    list of dict of int Tensors of shape (n_tokens,)
        For each text ``input_ids``, ``attention_mask`` and what else its tokenizer makes for
        this model, without padding.

    Raises
    ------
    ValueError
        If texts are too long and may not be truncated, have nothing but special tokens (only
        characters that the tokenizer drops, or does not know), or the tokenizer has numbers
        that the model knows nothing of.

    Warns
    -----
    UserWarning
        If more than half of a text is unknown to the tokenizer.
    """
    tokenizer, window = that_drops_the_end(encoder.tokenizer), context_window(encoder)
    cut = truncate and window < math.inf
    columns = tokenizer(
        list(texts), padding=False, truncation=cut, max_length=int(window) if cut else None,
        return_attention_mask=True, verbose=False,
    )  # fmt: skip
    input_ids = columns["input_ids"]

    def refuse(is_wrong: Callable, what: Callable, remedy: str) -> None:
        wrong = {i: f"({texts[i][:40]!r}) {what(ids)}"
                 for i, ids in enumerate(input_ids) if is_wrong(ids)}  # fmt: skip
        if wrong:
            raise ValueError(f"{name_all(wrong, texts)}: {remedy}")

    special = set(tokenizer.all_special_ids)
    refuse(
        special.issuperset,
        lambda ids: "has no token but special ones, so nothing of it would be embedded",
        "leave it out, or give it words the tokenizer knows",
    )
    refuse(
        lambda ids: len(ids) > window,
        lambda ids: f"has {len(ids)} tokens, the model reads at most {window}",
        "cut it into chunks, or pass truncate=True to drop its end",
    )
    n_known = number_of_tokens(encoder.model)
    refuse(
        lambda ids: max(ids) >= n_known,
        lambda ids: f"has the token {max(ids)}, the model knows {n_known}, counted from 0",
        "take the tokenizer that belongs to the model, or model.resize_token_embeddings()",
    )
    warn_of_unknown(texts, input_ids, tokenizer)
    return [
        {name: torch.tensor(column[i]) for name, column in columns.items()}
        for i in range(len(texts))
    ]


def that_drops_the_end(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return a tokenizer that drops the end of what is too long; some drop the beginning."""
    if tokenizer.truncation_side == "right":
        return tokenizer
    tokenizer = copy.copy(tokenizer)  # a caller's own stays as it is
    tokenizer.truncation_side = "right"
    return tokenizer


def warn_of_unknown(texts: Sequence[str], input_ids: list[list[int]], tokenizer) -> None:
    """Warn of texts of which the tokenizer does not know more than half."""
    ordinary = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    unknown = {}
    for i, ids in enumerate(input_ids):
        of_text = [token for token in ids if token not in ordinary]
        share = of_text.count(tokenizer.unk_token_id) / len(of_text)
        if share > 0.5:
            unknown[i] = f"({texts[i][:40]!r}) is unknown to {share:.0%}"
    if unknown:
        warnings.warn(
            f"{name_all(unknown, texts)}: the tokenizer was not made for this language or "
            f"script, and reads {tokenizer.unk_token} in its place",
            stacklevel=4,
        )
