"""The chapter on a task: its numbers by other code, and what was trained, trained again."""

import hashlib
import json
import re
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from by_counting import by_runs
from executed_context import HALF, row, text_shown
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from layerwise.texts.lines import load_runs
from layerwise.texts.poems import load_poems
from tools.data import order_lora, order_repeats, order_runs

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "chapters" / "task.md"
CELLS = [cell.source for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]
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
    for ones, (first, last) in zip(table, ends, strict=True):
        ones[[columns[0, first], columns[1, last]]] = 1
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


def test_counted_pairs_by_a_counter_of_runs(measured):
    lines, margins = measured["lines"], measured["margins"]["counted pairs"]
    for tested in measured["folds"][:2]:
        seen = [[*line.split(), "\n"] for line in lines["true"].drop(index=tested)]
        words, often = np.unique(np.concatenate(seen), return_counts=True)
        known = set(words[often > 1].tolist())

        def hide(line, known=known):
            return [word if word in known else "<unk>" for word in line]

        one, two = (by_runs([hide(line) for line in seen], n, len(known) + 1) for n in (1, 2))
        for side, order in zip(margins, ("true", "shuffled"), strict=True):
            new = [hide([*line.split(), "\n"]) for line in lines[order].iloc[tested]]
            theirs = [one(line) - two(line) for line in new]
            np.testing.assert_allclose(side[tested], theirs, rtol=1e-9, atol=1e-9)


def test_few_lines_for_a_probe(measured):
    """The draw that all weights got as well, and Student's interval by its formula."""
    lines, layer = measured["lines"], int(measured["by_layer"]["alone"].idxmax()[-1])
    features, n = measured["vectors"][layer], len(lines)
    repeats, shown = load_runs("repeats"), text_shown("task")
    for few in (10, 30, 100, 300):
        right = []
        for tested in measured["folds"]:
            others = np.setdiff1d(np.arange(n), tested)
            some = np.random.default_rng(0).permutation(others)[:few]
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
            model.fit(features[[*some, *some + n]], np.repeat([1, 0], few))
            right += [model.score(features[[*tested, *tested + n]], [1] * len(tested)
                                  + [0] * len(tested))]  # fmt: skip
        told = row(shown, str(few), 6)
        assert told[0] == pytest.approx(np.mean(right), abs=HALF)
        if few in (30, 300):
            trained = repeats.loc[repeats["run"] == f"{few} lines", "alone"]
            gains = trained.to_numpy() - right
            error = 2.776 * np.std(gains, ddof=1) / np.sqrt(5)
            assert told[1] == pytest.approx(trained.mean(), abs=HALF)
            gain, low, high = told[2:5]
            assert gain == pytest.approx(gains.mean(), abs=HALF)
            assert (low, high) == pytest.approx((gain - error, gain + error), abs=2 * HALF)


def test_the_network_without_pretraining_by_its_folds():
    folds = load_runs("repeats").query("run == 'random start'")[["alone", "both"]].to_numpy()
    means, spreads = folds.mean(axis=0), folds.std(axis=0, ddof=1)
    told = row(text_shown("task"), "without pretraining", 4)
    assert told == pytest.approx(np.stack([means, spreads], axis=1).ravel(), abs=HALF)


def test_what_all_weights_gain_by_drawing_poems(measured):
    counted, poems = measured["margins"]["counted pairs"], measured["lines"]["text"].to_numpy()
    trained = SCORES.pivot(index="order", columns="pair", values="all weights")
    trained = trained.loc[["true", "shuffled"]].to_numpy()

    def alone(margins):
        return ((margins[0] > 0) + 1.0 * (margins[1] <= 0)) / 2

    gains, rng = alone(trained) - alone(counted), np.random.default_rng(4)
    of_poem = [gains[poems == poem] for poem in np.unique(poems)]
    means = [np.concatenate([of_poem[i] for i in rng.integers(len(of_poem), size=len(of_poem))])
             .mean() for _ in range(2000)]  # fmt: skip
    shown = text_shown("task")
    told = re.search(r"^counted pairs +alone +(.+)$", shown, re.M)[1].split()
    mean, low, high = map(float, told)
    assert mean == pytest.approx(gains.mean(), abs=HALF)
    assert (low, high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.01)


@pytest.fixture(scope="module")
def poems_in_the_last_layer(encoder):
    vectors = []
    for text in load_poems()["text"]:
        batch = encoder.tokenizer(text, return_tensors="pt", truncation=True)
        with torch.no_grad():
            vectors.append(encoder.model(**batch).last_hidden_state[0].mean(dim=0).numpy())
    return np.stack(vectors)


def test_themes_by_scikit_learn_alone(poems_in_the_last_layer):
    themes, shown = load_poems()["theme"].to_numpy(), text_shown("task")
    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100))
    for n_folds, name in [(10, "6"), (5, "probe, last layer")]:
        folds = KFold(n_folds, shuffle=True, random_state=0)
        answers = cross_val_predict(model, poems_in_the_last_layer, themes, cv=folds)
        told = row(shown, name, 3)
        assert told[0] == pytest.approx((answers == themes).mean(), abs=HALF)
    scores = load_runs("scores", task="theme")
    right = scores["theme"] == scores["answer"]
    for seed, name in [(0, "all weights"), (1, "all weights, random themes")]:
        mean, low, high = row(shown, name, 3)
        hits = right[scores["seed"] == seed].to_numpy()
        assert mean == pytest.approx(hits.mean(), abs=HALF)
        draws = np.random.default_rng(8).choice(hits, (2000, len(hits))).mean(axis=1)
        assert (low, high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.02)


@pytest.fixture(scope="module")
def passages():
    names = {"np": np, "pd": pd}
    exec(next(code for code in CELLS if "def cut_passages" in code), names)
    return names["passages"]


def test_what_the_year_alone_tells(passages):
    """The passage nearest in time, by a loop; one-year ties go to the first."""
    shown = text_shown("task")
    two = passages[passages["party"].isin(["Republican", "Democratic"])]
    for table, label, group, place in [(two, "party", "name", 0), (two, "party", "speaker", 1),
                                       (passages, "delivery", "speaker", 0)]:  # fmt: skip
        deal = GroupKFold(10, shuffle=True, random_state=0)
        years, labels = table["year"].to_numpy(), table[label].to_numpy()
        right = []
        for trained, tested in deal.split(table, groups=table[group]):
            for i in tested:
                gaps = np.abs(years[trained] - years[i])
                near = labels[trained][gaps == gaps.min()]
                right.append((near == labels[i]).mean())
        tables = re.findall(r"^the year alone +(.+)$", shown, re.M)
        told = float(tables[label == "delivery"].split()[place])
        assert told == pytest.approx(np.mean(right), abs=0.05)


def test_years_of_passages_by_least_squares(passages):
    shown, years = text_shown("task"), passages["year"].to_numpy()
    texts = [text.lower().split() for text in passages["text"]]
    deal = GroupKFold(10, shuffle=True, random_state=0)
    folds = list(deal.split(years, groups=passages["speaker"]))
    clean = [["".join(sign if sign.isalnum() else " " for sign in word) for word in text]
             for text in texts]
    clean = [[part for word in text for part in word.split() if len(part) > 1]
             for text in clean]
    kinds, often = np.unique(np.concatenate(clean), return_counts=True)
    fifty = kinds[np.argsort(-often, kind="stable")[:50]]
    counts = np.array([[text.count(word) for word in fifty] for text in clean])
    features = 100 * counts / counts.sum(axis=1, keepdims=True)
    middle, by_words = [], []
    for trained, tested in folds:
        middle += np.abs(years[tested] - np.median(years[trained])).tolist()
        x, y = features[trained], years[trained]
        centred = x - x.mean(axis=0)
        gram = centred.T @ centred + 300 * np.eye(50)
        weights = np.linalg.solve(gram, centred.T @ (y - y.mean()))
        answers = y.mean() + (features[tested] - x.mean(axis=0)) @ weights
        by_words += np.abs(answers - years[tested]).tolist()
    told = [float(shown.split(name)[1].split()[0])
            for name in ("the middle year  ", "fifty frequent words  ")]
    # The chapter keeps speakers whole whose texts are nearly the same: other folds.
    assert told == pytest.approx([np.mean(middle), np.mean(by_words)], abs=1)


def test_calibration_by_bins_and_by_the_likelihood():
    shown = text_shown("task")
    margins = SCORES["all weights"].to_numpy()
    sure = 1 / (1 + np.exp(-np.abs(margins)))
    right = (margins > 0) == (SCORES["order"] == "true").to_numpy()
    bins = np.digitize(sure, np.linspace(0, 1, 11)[1:-1])
    gaps = [(bins == i).mean() * abs(sure[bins == i].mean() - right[bins == i].mean())
            for i in np.unique(bins)]
    told = [float(part.split()[-1].strip(",")) for part in
            shown[shown.index("confidence 0.") :].split("\n")[0].split(", ")]
    assert told == pytest.approx([sure.mean(), right.mean(), sum(gaps)], abs=0.0006)
    signed = np.where(SCORES["order"] == "true", margins, -margins)
    best = minimize_scalar(lambda t: np.log1p(np.exp(-signed / t)).mean(), (0.5, 5)).x
    of_halves = shown[re.search(r"temperature +before +after", shown).start() :]
    temperature = float(re.search(r"^mean +([\d.]+)", of_halves, re.M)[1])
    assert temperature == pytest.approx(best, abs=0.1)  # there fitted on halves


def test_folds_and_seeds_by_a_table(measured):
    shown = text_shown("task")
    again = load_runs("repeats").query("run == 'all weights'")
    first = SCORES.pivot(index="pair", columns="order", values="all weights")
    first["fold"] = SCORES[SCORES["order"] == "true"]["fold"].to_numpy()
    of_first = first.assign(both=first["true"] > first["shuffled"]).groupby("fold")["both"]
    table = np.stack([of_first.mean(), again["both"]])
    spreads = shown[re.search(r"std over folds +std over seeds", shown).start() :]
    told = spreads.split("both")[1].split()[:2]
    over_folds = np.mean([np.std(seed, ddof=1) for seed in table])
    over_seeds = np.sqrt(np.mean((table[0] - table[1]) ** 2 / 2))
    assert [float(n) for n in told] == pytest.approx([over_folds, over_seeds], abs=0.0006)


# ---------------------------------------------------------------- what was trained beforehand


@pytest.mark.parametrize("made_by", [order_runs, order_repeats], ids=["runs", "repeats"])
def test_each_table_is_the_one_that_was_made(made_by):
    digests = json.loads((ROOT / made_by.DIGESTS).read_text("utf-8"))["sha256"]
    for path in made_by.TABLES.values():
        found = hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
        assert digests[path.name] == found
        assert (ROOT / path).stat().st_size < 150_000
    assert len(digests) == len(made_by.TABLES)


def test_repeats_hold_every_fold():
    repeats, themes = load_runs("repeats"), load_runs("scores", task="theme")
    for name, run in order_repeats.RUNS.items():
        if run.table == "repeats":
            assert repeats.loc[repeats["run"] == name, "fold"].tolist() == list(run.folds)
    for _, rows in themes.groupby("seed"):
        assert sorted(rows["poem"]) == list(range(59))
    true = themes[themes["seed"] == 0].sort_values("poem")["theme"]
    assert true.tolist() == load_poems()["theme"].tolist()
    assert repeats["alone"].between(0.5, 1).all()


def test_few_lines_that_are_trained_again_give_the_same(encoder):
    made = order_repeats.train_order(order_repeats.RUNS["30 lines"], 0, 4, encoder)
    table = load_runs("repeats").set_index(["run", "fold"]).loc[("30 lines", 4)]
    for column in ("alone", "both"):
        assert made[column].item() == pytest.approx(table[column], abs=0.03)


def test_the_tables_hold_every_line_and_run():
    assert SCORES.columns.tolist()[:6] == ["order", "pair", "text", "line", "fold", "words"]
    assert SCORES.columns.tolist()[6:] == list(order_runs.RUNS)
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
