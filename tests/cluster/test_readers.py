"""What others read the files of `layerwise embed` with."""

import numpy as np
import pandas as pd
import pytest

from layerwise import cli

WITHOUT = "is not installed here: python3 -m nox -s cluster"


@pytest.fixture(scope="module", params=["float32", "float16"])
def folder(request, small_model, tmp_path_factory):
    """A folder of two files, one of which holds no text, and what pandas reads in it."""
    place = tmp_path_factory.mktemp("readers")
    rows = {"text": ["Wild nights!", "I'm nobody!", None, "Über Gipfeln, “Ruh”"],
            "kind": ["a", "b", "a", None]}  # fmt: skip
    pd.DataFrame(rows).to_json(place / "t.jsonl", orient="records", lines=True)
    patch = pytest.MonkeyPatch()
    patch.setattr("layerwise.embed.run.ROWS_PER_PART", 2)
    status = cli.main([
        "embed", str(place / "t.jsonl"), "--text", "text", "--label", "kind", "--encoder",
        str(small_model), "--device", "cpu", "--dtype", request.param,
        "--out", str(place / "v"),
    ])  # fmt: skip
    patch.undo()
    assert status == 0
    return place / "v" / "parts", pd.read_parquet(place / "v" / "parts")


def compare(expected: pd.DataFrame, rows, texts, labels, vectors) -> None:
    assert list(rows) == expected["row"].tolist() == [1, 2, 4]
    assert list(texts) == expected["text"].tolist()
    assert [x or None for x in labels] == ["a", "b", None]
    found = np.asarray([np.asarray(x, dtype=np.float32) for x in vectors])
    np.testing.assert_array_equal(found, np.stack(expected["layer_2"]).astype(np.float32))
    assert found.shape == (3, 16)


def test_polars(folder):
    polars = pytest.importorskip("polars", reason=f"polars {WITHOUT}")
    path, expected = folder
    table = polars.read_parquet(path)
    assert table.schema["layer_2"].shape == (16,)
    compare(expected, *(table[name].to_list() for name in ("row", "text", "label", "layer_2")))


def test_duckdb(folder):
    duckdb = pytest.importorskip("duckdb", reason=f"DuckDB {WITHOUT}")
    path, expected = folder
    rows = duckdb.sql(
        f"select row, text, label, layer_2 from '{path}/*.parquet' order by row"
    ).fetchall()
    compare(expected, *zip(*rows, strict=True))


def test_datasets(folder, tmp_path):
    datasets = pytest.importorskip("datasets", reason=f"datasets {WITHOUT}")
    path, expected = folder
    data = datasets.load_dataset(str(path), split="train", cache_dir=str(tmp_path))
    compare(expected, data["row"], data["text"], data["label"], data["layer_2"])
