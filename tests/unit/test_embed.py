"""The command `layerwise embed`: from a table to files of vectors, and on where it stopped."""

import contextlib
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from own_tables import TABLES, csv_of, sentences

from layerwise import cli
from layerwise.checkpoints import DEFAULT_CHECKPOINT
from layerwise.embed import cluster, folder, run
from layerwise.embedding import embed_layers
from layerwise.models import load_encoder
from layerwise.progress import clock_in, with_end_time
from layerwise.texts import delimited, encodings
from layerwise.texts.own import load_texts

KILLER = Path(__file__).with_name("killed_embedding.py")


@pytest.fixture
def embed(tmp_path, small_model, monkeypatch, capsys):
    """Run the command in an empty folder, in parts of seven rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "ROWS_PER_PART", 7)

    def command(*arguments: str) -> tuple[int, str, str]:
        model = [] if "--encoder" in arguments else ["--encoder", str(small_model)]
        out = [] if "--out" in arguments else ["--out", "vectors"]
        device = [] if "--device" in arguments else ["--device", "cpu"]
        status = cli.main(["embed", *arguments, *device, *model, *out])
        output, errors = capsys.readouterr()
        assert "Traceback" not in errors
        return status, output, errors

    return command


@pytest.fixture
def table(tmp_path) -> Path:
    """A table of thirty texts, two of them alike, and one row without."""
    rows = [(text, "ab"[i % 2]) for i, text in enumerate(sentences(29))]
    rows[11:11] = [("", "a"), rows[3]]
    path = tmp_path / "table.csv"
    path.write_text(csv_of(rows, "text,kind"), encoding="utf-8")
    return path


def files_of(out: Path) -> dict[str, bytes]:
    """The name and the content of every file, drafts included."""
    files = [path for path in out.rglob("*") if path.is_file()]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def vectors_of(out: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The texts, and an array of shape (n_layers, n_texts, n_dims)."""
    whole = pd.read_parquet(out / "parts")
    layers = [name for name in whole if name.startswith("layer_")]
    return whole, np.stack([np.stack(whole[name]) for name in layers])


# ---------------------------------------------------------------- what is written


def test_the_files_hold_what_embed_layers_gives(embed, table, small_model, tmp_path):
    status, output, _ = embed("table.csv", "--text", "text", "--label", "kind")
    assert status == 0
    whole, vectors = vectors_of(tmp_path / "vectors")
    assert list(whole) == ["row", "title", "text", "label", "layer_0", "layer_1", "layer_2"]
    lines = pd.read_csv(table, keep_default_na=False)
    assert whole["row"].tolist() == [i + 2 for i in range(31) if i != 11]
    of_rows = lines.loc[whole["row"] - 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        whole[["text", "label"]], of_rows.rename(columns={"kind": "label"}).astype("str")
    )
    encoder = load_encoder(small_model, device="cpu")
    expected = embed_layers(whole["text"], encoder, progress=False)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert np.abs(vectors[1] - vectors[2]).max() > 0.1
    parts = sorted((tmp_path / "vectors" / "parts").iterdir())
    assert [pq.read_metadata(path).num_rows for path in parts] == [7, 6, 7, 7, 3]
    assert "30 texts in 5 files" in output
    assert "1 row: no text (left out)" in output


def test_layers_pooling_and_dtype_are_those_asked_for(embed, table, small_model, tmp_path):
    status, *_ = embed(
        "table.csv", "--text", "text", "--layers", "2, 0,2", "--pooling", "cls", "--dtype",
        "float16",
    )  # fmt: skip
    assert status == 0
    whole, vectors = vectors_of(tmp_path / "vectors")
    assert [name for name in whole if name.startswith("layer")] == ["layer_0", "layer_2"]
    assert vectors.dtype == np.float16
    assert whole["label"].isna().all()
    encoder = load_encoder(small_model, device="cpu")
    exact = embed_layers(whole["text"], encoder, "cls", progress=False)[[0, 2]]
    np.testing.assert_array_equal(vectors, exact.astype(np.float16))


def test_the_run_says_what_a_paper_needs(embed, table, tmp_path):
    embed("table.csv", "--text", "text")
    about = json.loads((tmp_path / "vectors" / "run.json").read_text("utf-8"))
    assert (about["n_rows"], about["n_texts"], about["n_parts"]) == (31, 30, 5)
    assert len(about["asked"]["model"]["sha256"]["model.safetensors"]) == 64
    assert len(about["asked"]["texts"]["sha256"]) == 64
    assert {"layerwise", "torch", "pyarrow"} < set(about["asked"]["versions"])
    assert about["asked"]["layers"] == [0, 1, 2]


@pytest.mark.parametrize("name", TABLES)
def test_no_row_is_lost_in_silence(embed, name, tmp_path):
    arguments = [x for x in TABLES[name](tmp_path) if x not in ("--passages", "paragraph")]
    status, output, _ = embed(*arguments)
    assert status == 0
    whole, _ = vectors_of(tmp_path / "vectors")
    found = pd.read_csv(tmp_path / "vectors" / "found.csv", keep_default_na=False)
    left_out = {
        number
        for rows in found.loc[found["done"].str.startswith("left out"), "rows"]
        for a, _, b in (span.partition("–") for span in rows.split(", "))
        for number in range(int(a), int(b or a) + 1)
    }
    kept = set(whole["row"])
    assert not kept & left_out
    assert kept | left_out == set(range(min(kept | left_out), max(kept | left_out) + 1))
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    loaded = load_texts(tmp_path / arguments[0], options["--text"], options.get("--label"))
    first = whole.drop_duplicates("text")[["row", "title", "text", "label"]]
    read = loaded.table[loaded.table["row"].isin(kept)]
    pd.testing.assert_frame_equal(first.reset_index(drop=True), read.reset_index(drop=True))
    for line in found.loc[found["n_rows"] > 0, "found"].unique():
        assert line in output


# ---------------------------------------------------------------- stopped, and going on


def test_killed_ten_times_it_ends_equal_to_an_undisturbed_run(table, small_model, tmp_path):
    command = ["embed", str(table), "--text", "text", "--encoder", str(small_model),
               "--device", "cpu", "--out"]  # fmt: skip
    ran = subprocess.run(
        [sys.executable, str(KILLER), *command], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split().count("killed") == 10
    calm, disturbed = (files_of(tmp_path / name) for name in ("calm", "disturbed"))
    assert len(calm) == 16 + 3  # parts, run.json, found.csv, the lock
    assert disturbed == calm


def test_what_is_there_is_not_computed_again(embed, table, tmp_path, monkeypatch):
    embed("table.csv", "--text", "text")
    before = files_of(tmp_path / "vectors")
    (tmp_path / "vectors/parts/part-000002.parquet").unlink()
    damaged = tmp_path / "vectors/parts/part-000003.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    made = []
    real = run.make_file
    monkeypatch.setattr(run, "make_file", lambda part, *x: made.append(part) or real(part, *x))
    _, _, errors = embed("table.csv", "--text", "text")
    assert [part.number for part in made] == [2, 3]
    assert "14 rows to go on with" in errors
    assert files_of(tmp_path / "vectors") == before
    _, _, errors = embed("table.csv", "--text", "text")
    assert len(made) == 2
    assert "there already" in errors


def test_a_stopped_run_says_that_what_is_written_stays(embed, table, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "make_file", stop)
    status, _, errors = embed("table.csv", "--text", "text")
    assert status == cli.STOPPED
    assert "the same command goes on from there" in errors


def test_a_stop_that_python_drops_ends_it_after_a_file(embed, table, tmp_path, monkeypatch):
    made = run.make_file

    def make_file(*given):
        with contextlib.suppress(KeyboardInterrupt):  # as in a destructor
            signal.raise_signal(signal.SIGTERM)
        return made(*given)

    monkeypatch.setattr(run, "make_file", make_file)
    status, _, errors = embed("table.csv", "--text", "text")
    assert status == cli.STOPPED
    assert "the same command goes on from there" in errors
    assert len(list((tmp_path / "vectors" / "parts").iterdir())) == 1


def test_another_run_does_not_get_into_the_folder(embed, table, tmp_path):
    embed("table.csv", "--text", "text")
    before = files_of(tmp_path / "vectors")
    for arguments, difference in [
        (["--pooling", "cls"], "pooling was mean, now cls"),
        (["--layers", "1"], "layers was [0, 1, 2], now [1]"),
        (["--label", "kind"], "texts label was None, now kind"),
        (["--encoder", DEFAULT_CHECKPOINT], "model n dims was 16, now 384"),
    ]:
        status, _, errors = embed("table.csv", "--text", "text", *arguments)
        assert status == 1
        assert re.search(r"'\S+vectors' holds another run \(", errors)
        assert difference in errors
        assert files_of(tmp_path / "vectors") == before
    table.write_text(table.read_text() + '"One more.","a"\n')
    status, _, errors = embed("table.csv", "--text", "text")
    assert re.search(r"texts sha256 was [0-9a-f]{12}…, now [0-9a-f]{12}…", errors)
    assert files_of(tmp_path / "vectors") == before


# ---------------------------------------------------------------- size


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_memory_does_not_grow_with_the_table(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(run, "ROWS_PER_PART", 500)
    # What is looked at together, when a file is opened, has an end beyond these tables.
    monkeypatch.setattr(encodings, "BLOCK", 10_000)
    monkeypatch.setattr(delimited, "N_CHARACTERS_SAMPLED", 10_000)

    def peak(n: int) -> int:
        frame = pd.DataFrame({"text": sentences(n), "n": range(n)})
        path = tmp_path / f"{n}.{ending}"
        if ending == "csv":
            frame.to_csv(path, index=False)
        elif ending == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        else:
            frame.to_parquet(path, row_group_size=1000)
        del frame
        tracemalloc.start()
        table, columns, _ = run.open_texts(options_of(path))
        parts = run.read_parts(table, columns, False, {})
        assert sum(len(part.texts) for part in parts) == n
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)  # what is made once
    assert peak(16_000) < 1.25 * peak(2_000)


def options_of(path: Path):
    """What the parser makes of a command that names a table and its texts."""
    from layerwise.embed.command import build_parser

    return build_parser().parse_args([str(path), "--text", "text", "--out", "out"])


def test_parts_end_with_their_characters_too(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CHARACTERS_PER_PART", 100)
    texts = ["a" * 60, "b" * 60, "c" * 250, "d", "e"]
    (tmp_path / "t.csv").write_text("text\n" + "\n".join(texts) + "\n")
    table, columns, _ = run.open_texts(options_of(tmp_path / "t.csv"))
    parts = list(run.read_parts(table, columns, False, {}))
    assert [part.texts["text"].tolist() for part in parts] == [texts[:2], [texts[2]], texts[3:]]


def test_the_end_time_is_said(monkeypatch, capsys):
    now = iter(range(0, 1000, 20))
    monkeypatch.setattr("layerwise.progress.time.monotonic", lambda: float(next(now)))
    assert list(with_end_time([("a", 30), ("b", 10)], 100, "embedding")) == ["a", "b"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0].strip() for line in lines] == ["embedding: 30%",
                                                                 "embedding: 40%"]  # fmt: skip
    assert re.fullmatch(r"\d\d:\d\d:\d\d", clock_in(3600))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", clock_in(100_000))


# ---------------------------------------------------------------- what is asked wrongly


def test_what_is_wrong_is_said_in_one_sentence(embed, table, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("text,kind\n")
    (tmp_path / "blank.csv").write_text("text,kind\n,a\nNA,b\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    for arguments, sentence in [
        (["none.csv"], "there is no file or folder 'none.csv'"),
        (["table.csv", "--text", "txt"], "there is no column 'txt' (did you mean 'text'?)"),
        (["table.csv", "--layers", "0,3,x"], "no layer '3', 'x'; use all, or some of 0 to 2"),
        (["table.csv", "--layers", ""], "no layer ''"),
        (["table.csv", "--encoder", "no/such/model"], "unknown checkpoint 'no/such/model'"),
        (["table.csv", "--out", "no/where"], "there is no folder '"),
        (["table.csv", "--out", "table.csv"], "is a file: name a folder"),
        (["table.csv", "--out", "notes"], "holds something else (it has no run.json)"),
        (["notes", "--out", "notes/vectors"], "is among the texts"),
        (["empty.csv"], "empty.csv is empty"),
        (["header.csv"], "header.csv has no rows"),
        (["blank.csv", "--text", "text"], "the column 'text' holds no text: no text in 1 rows"),
    ]:  # fmt: skip
        status, output, errors = embed(*arguments)
        complaints = [line for line in errors.splitlines() if line.startswith("layerwise: ")]
        assert (status, len(complaints), output) == (1, 1, ""), (arguments, errors)
        assert sentence in complaints[0]
    assert (tmp_path / "notes" / "mine.txt").read_text() == "mine"


def test_two_runs_do_not_write_into_one_folder(embed, table, tmp_path):
    embed("table.csv", "--text", "text")
    with folder.locked(tmp_path / "vectors"):
        status, _, errors = embed("table.csv", "--text", "text")
    assert status == 1
    assert "another run is writing into" in errors


def test_damage_in_the_folder_is_said(embed, table, tmp_path):
    embed("table.csv", "--text", "text")
    out = tmp_path / "vectors"
    pd.DataFrame({"a": [1]}).to_parquet(out / "parts" / "mine.parquet")
    _, _, errors = embed("table.csv", "--text", "text")
    assert "mine.parquet' is not of this run: take it out" in errors
    (out / "run.json").write_text('{"asked": ')
    _, _, errors = embed("table.csv", "--text", "text")
    assert "run.json is damaged" in errors


def test_a_full_disk_leaves_whole_files_and_it_goes_on(embed, table, tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def full(place: int) -> None:
        calls.append(place)
        if len(calls) == 7:  # run.json and its folder, a part and its folder, …
            raise OSError(errno.ENOSPC, "No space left on device")
        real(place)

    monkeypatch.setattr(folder.os, "fsync", full)
    status, _, errors = embed("table.csv", "--text", "text")
    assert status == 1
    assert "is full: make room, and give the same command again" in errors
    assert sorted(files_of(tmp_path / "vectors")) == [
        ".lock", "parts/part-000000.parquet", "parts/part-000001.parquet", "run.json"
    ]  # fmt: skip
    status, output, _ = embed("table.csv", "--text", "text")
    assert "30 texts in 5 files" in output


def test_a_folder_that_cannot_be_written_is_named(embed, table, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(folder.Path, "touch", refuse)
    status, _, errors = embed("table.csv", "--text", "text")
    assert status == 1
    assert "vectors' cannot be written (Permission denied): name another folder" in errors


def test_numbers_that_float16_cannot_hold_are_refused(embed, table, monkeypatch):
    real = run.make_file.__globals__["embed_layers"]
    monkeypatch.setitem(
        run.make_file.__globals__, "embed_layers", lambda *x, **y: real(*x, **y) * -1e6
    )
    status, _, errors = embed("table.csv", "--text", "text", "--dtype", "float16")
    assert status == 1
    assert re.search(r"layer 0 has numbers as large as [\d,]+, and float16 ends", errors)


def test_a_cluster_that_is_none_is_said_at_once(embed, table, monkeypatch):
    assert "compute on processors alone" in embed(
        "table.csv", "--ray", "auto", "--device", "cuda"
    )[2]
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    status, _, errors = embed("table.csv", "--ray", "auto")
    assert (status, "pip install 'layerwise[ray]'" in errors) == (1, True)
    monkeypatch.setattr(cluster, "find_spec", lambda name: "there")
    for address in ["local", "10.0.0.5", "ray://head:10001", "head:0", "head:99999", ""]:
        status, _, errors = embed("table.csv", "--ray", address)
        assert (status, "an address is HOST:PORT" in errors) == (1, True), address
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    status, _, errors = embed("table.csv", "--ray", address)
    assert (status, f"no Ray cluster answers at {address}" in errors) == (1, True)
