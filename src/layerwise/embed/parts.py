"""From some rows of a table to one parquet file, made whole in memory."""

import json
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from layerwise.embedding import embed_layers
from layerwise.models import Encoder
from layerwise.report.tokens import count_tokens
from layerwise.texts.rows import Finding

METADATA = b"layerwise"  # the key, in a file's metadata, of what is known of it
# Whose versions decide on the numbers, and on the bytes.
LIBRARIES = ["layerwise", "torch", "transformers", "tokenizers", "numpy", "pyarrow"]
LARGEST_FLOAT16 = float(np.finfo(np.float16).max)
MOSTLY = 0.5  # a larger share of unknown tokens is noted


class Part(NamedTuple):
    """Rows of the table that become one file."""

    number: int
    n_rows: int  # of the table, those that are left out counted
    texts: pd.DataFrame  # as load_texts gives them
    findings: list[Finding]


class Settings(NamedTuple):
    """What is kept of each text, and in which run.

    Attributes
    ----------
    layers : tuple of int
        Ascending.
    pooling : {"mean", "cls", "max"}
    dtype : {"float32", "float16"}
    n_dims : int
    run : str
        A digest of all that decides on the numbers, which every file carries.
    """

    layers: tuple[int, ...]
    pooling: str
    dtype: str
    n_dims: int
    run: str


def make_file(part: Part, encoder: Encoder, settings: Settings) -> bytes:
    """Embed the texts of a part, and return the parquet file that holds them.

    Its columns are those of :func:`table_schema`. Its metadata say how many rows of the table
    it stands for, and what was found in them.

    Raises
    ------
    ValueError
        If the model gives numbers that are none, or that are too large for the dtype.
    """
    texts, unreadable = leave_out_unreadable(part.texts, encoder)
    findings = [*part.findings, *unreadable]
    schema = table_schema(settings)
    arrays = [pa.array(texts[name], schema.field(name).type) for name in schema.names[:4]]
    if len(texts):
        with warnings.catch_warnings():  # of unknown tokens: they are among the findings
            warnings.simplefilter("ignore", UserWarning)
            vectors = embed_layers(
                texts["text"], encoder, settings.pooling, truncate=True, progress=False
            )  # (n_layers + 1, n_texts, n_dims)
    else:
        vectors = np.empty((max(settings.layers) + 1, 0, settings.n_dims), np.float32)
    for layer in settings.layers:
        numbers = as_dtype(vectors[layer], settings.dtype, layer)
        arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()),
                                                        settings.n_dims))  # fmt: skip
    about = {
        "run": settings.run, "part": part.number, "n_rows": part.n_rows,
        "n_texts": len(texts), "found": [finding._asdict() for finding in findings],
    }  # fmt: skip
    metadata = {METADATA: json.dumps(about, ensure_ascii=False).encode()}
    table = pa.Table.from_arrays(arrays, schema=schema.with_metadata(metadata))
    file = pa.BufferOutputStream()
    # Vectors hardly repeat: a dictionary of them, or a compression, would only take time.
    pq.write_table(table, file, compression="none", use_dictionary=False)
    return file.getvalue().to_pybytes()


def table_schema(settings: Settings) -> pa.Schema:
    """Return the columns of a file of vectors.

    ``row``, the number of the row in the reader's table, as a spreadsheet counts; ``title``,
    ``text`` and ``label`` as they were read; and for each layer that is kept a column
    ``layer_0``, ``layer_1``, …, a list of n_dims numbers. Layer 0 is the embeddings, before
    any attention.
    """
    number = pa.float16() if settings.dtype == "float16" else pa.float32()
    return pa.schema([
        ("row", pa.int64()), ("title", pa.string()), ("text", pa.string()),
        ("label", pa.string()),
        *((f"layer_{layer}", pa.list_(number, settings.n_dims)) for layer in settings.layers),
    ])  # fmt: skip


def leave_out_unreadable(
    texts: pd.DataFrame, encoder: Encoder
) -> tuple[pd.DataFrame, list[Finding]]:
    """Leave out texts that have no token the model knows, and note what else it cannot read."""
    if texts.empty:
        return texts, []
    counts = count_tokens(texts["text"].tolist(), encoder).set_index(texts.index)
    unread = counts["n_known"] == 0
    unknown = ~unread & (counts["n_unknown"] > MOSTLY * counts["n_tokens"])
    findings = [
        Finding(found, done, texts.loc[which, "row"].tolist())
        for which, found, done in [
            (unread, "a text without any token that the model knows", "left out"),
            (unknown, "a text of which the model does not know most tokens", "kept"),
            (
                counts["is_cut"] & ~unread,
                "a text that is longer than the model can read",
                "its beginning was read, as far as the model can",
            ),
        ]
        if which.any()
    ]
    return texts[~unread], findings


def as_dtype(vectors: np.ndarray, dtype: str, layer: int) -> np.ndarray:
    """Round numbers to a dtype, if it can hold them."""
    largest = np.abs(vectors).max(initial=0)
    if dtype == "float16" and largest > LARGEST_FLOAT16:
        raise ValueError(
            f"layer {layer} has numbers as large as {largest:,.0f}, and float16 ends at "
            f"{LARGEST_FLOAT16:,.0f}: use --dtype float32"
        )
    return vectors.astype(dtype, copy=False)


def read_about(path) -> dict:
    """Return what a file of vectors says of itself; empty if it is none, or not whole."""
    try:
        return json.loads(pq.read_metadata(path).metadata[METADATA])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return {}
