"""The chapter on a task: its numbers by other code, and what was trained, trained again."""

import hashlib
import json
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from layerwise.texts.lines import load_runs
from layerwise.texts.poems import load_poems
from tools.data import order_lora, order_runs

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "chapters" / "task.md"
CELLS = [cell.source for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]
DIGESTS = json.loads((ROOT / order_runs.DIGESTS).read_text("utf-8"))
SCORES = load_runs("scores")


@pytest.fixture(scope="module")
def measured():
    """Return the names of the chapter when the probes have been compared."""
    end = next(i for i, code in enumerate(CELLS) if "by_layer = summary" in code)
    names = {"__name__": "__main__"}
    with plt.rc_context(), pd.option_context("display.float_format", None):
        for code in CELLS[: end + 1]:
            exec(compile(code, code[:40], "exec"), names)
    return names


def test_folds_keep_poems_whole_and_are_those_of_the_tables(measured):
    lines = measured["lines"]
    fold_of = SCORES[SCORES["order"] == "true"]["fold"].to_numpy()
    for number, tested in enumerate(measured["folds"]):
        assert np.flatnonzero(fold_of == number).tolist() == tested.tolist()
        assert not set(lines["poem"].iloc[tested]) & set(lines["poem"].drop(index=tested))
    assert sorted(np.concatenate(measured["folds"])) == list(range(len(lines)))


def test_what_the_edges_of_lines_give_by_a_table_of_ones(measured):
    lines, margins = measured["lines"], measured["margins"]["first and last word"]
    texts = [*lines["true"], *lines["shuffled"]]
    ends = [(text.split()[0], text.split()[-1]) for text in texts]
    columns = {end: i for i, end in enumerate(sorted({(k, w) for e in ends
                                                      for k, w in enumerate(e)}))}  # fmt: skip
    table = np.zeros((len(texts), len(columns)))
    for row, (first, last) in zip(table, ends, strict=True):
        row[[columns[0, first], columns[1, last]]] = 1
    labels = np.repeat([1, 0], len(lines))
    folds = GroupKFold(5, shuffle=True, random_state=0).split(
        table, groups=np.tile(lines["text"], 2)
    )
    model = LogisticRegression(max_iter=1000)
    theirs = cross_val_predict(model, table, labels, cv=folds, method="decision_function")
    same = np.sign(theirs) == np.sign(margins.ravel())
    assert same.mean() > 0.99  # columns that are empty in training are left out there


def test_probes_by_transformers_and_scikit_learn_alone(measured, encoder):
    lines = measured["lines"]
    texts = [*lines["true"], *lines["shuffled"]]
    order = np.argsort([len(text) for text in texts])
    vectors = np.zeros((len(texts), 384))
    for some in np.array_split(order, 24):
        batch = encoder.tokenizer([texts[i] for i in some], padding=True, return_tensors="pt")
        with torch.no_grad():
            hidden = encoder.model(**batch, output_hidden_states=True).hidden_states[2]
        mask = batch["attention_mask"][..., None]
        vectors[some] = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    margins = cross_val_predict(
        model, vectors, np.repeat([1, 0], len(lines)), method="decision_function",
        cv=GroupKFold(5, shuffle=True, random_state=0), groups=np.tile(lines["text"], 2),
    )  # fmt: skip
    n = len(lines)
    right = (np.r_[margins[:n] > 0, margins[n:] <= 0]).mean()
    row = measured["by_layer"].loc["probe, layer 2"]
    assert row["alone"] == pytest.approx(right, abs=0.004)
    assert row["both"] == pytest.approx((margins[:n] > margins[n:]).mean(), abs=0.004)


def test_the_leak_and_its_proof_by_scikit_learn_alone(measured):
    lines, themes = measured["lines"], load_poems()["theme"].to_numpy()
    last = measured["vectors"][-1][: len(lines)]
    names = dict(measured)
    code = next(code for code in CELLS if "def right_by_line" in code)
    exec(compile(code, "leak", "exec"), names)
    dealt = np.random.default_rng(5).permutation(themes)
    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1000))
    for labels in (themes, dealt):
        of_line = labels[lines["text"]]
        for cv, folds in [(KFold(5, shuffle=True, random_state=0), "by_line"),
                          (GroupKFold(5, shuffle=True, random_state=0), "folds")]:  # fmt: skip
            groups = lines["text"] if folds == "folds" else None
            answers = cross_val_predict(model, last, of_line, cv=cv, groups=groups)
            theirs = (answers == of_line).mean()
            assert names["right_by_line"](labels, names[folds]) == pytest.approx(theirs)


# ---------------------------------------------------------------- what was trained beforehand


@pytest.mark.parametrize("path", order_runs.TABLES.values(), ids=str)
def test_each_table_is_the_one_that_was_made(path):
    found = hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
    assert DIGESTS["sha256"][path.name] == found
    assert (ROOT / path).stat().st_size < 150_000


def test_the_tables_hold_every_line_and_run():
    assert SCORES.columns.tolist()[:6] == ["order", "pair", "text", "line", "fold", "words"]
    assert SCORES.columns.tolist()[6:] == order_runs.IN_SCORES
    assert not SCORES.isna().any(axis=None)
    lines = order_runs.load_lines()
    for order, rows in SCORES.groupby("order"):
        assert rows["words"].tolist() == lines[order].tolist()
        assert rows["fold"].tolist() == lines["fold"].tolist()


def test_a_run_that_is_made_again_is_the_one_in_the_table(encoder):
    lines = order_runs.load_lines()
    name, fold = "10 lines", 4
    made = order_runs.train(order_runs.RUNS[name], fold, lines, encoder)["scores"]
    table = SCORES[SCORES["fold"] == fold].pivot(index="pair", columns="order", values=name)
    largest = (made[["true", "shuffled"]] - table[["true", "shuffled"]]).abs().max(axis=None)
    assert largest < 0.15  # other processors round otherwise, and training makes more of it
    assert table.std(axis=None) > 0.15


def test_the_classifier_of_the_page_is_the_run_of_the_table(encoder):
    file = ROOT / order_lora.FILE
    made = json.loads((ROOT / order_lora.DIGEST).read_text("utf-8"))
    assert made["sha256"][file.name] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.stat().st_size < 200_000
    classifier, lines = order_lora.read_learned(encoder), order_runs.load_lines()
    largest = {}
    for fold in (order_lora.FOLD, 1):
        tested = lines[lines["fold"] == fold]
        margins = order_runs.margins_of(classifier, tested)
        table = SCORES[SCORES["fold"] == fold].pivot(
            index="pair", columns="order", values="LoRA"
        )
        largest[fold] = np.abs(margins.T - table[["true", "shuffled"]].to_numpy()).max()
        if fold == order_lora.FOLD:
            assert made["right"] == order_lora.shares_right(margins)
    assert largest[order_lora.FOLD] < 0.02  # 16 bits
    assert largest[1] > 1  # which it was trained on, and which another was not
    deals = pd.DataFrame(made["right, labels dealt at random"])
    assert len(deals) == order_lora.N_DEALS
    assert (deals.mean() - 0.5).abs().max() < 0.1
