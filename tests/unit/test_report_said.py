"""What a report says was done: every clause is true of the run, and nothing else is said."""

import datetime
import json
import shlex
import subprocess
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from own_tables import csv_of, sentences
from tiny_checkpoints import save_tiny_decoder

from layerwise import cli
from layerwise.decoders import load_decoder
from layerwise.figures.page import new_figure
from layerwise.report import folder as folder_module
from layerwise.report.agreement import can_agree
from layerwise.report.command import in_shell
from layerwise.report.cost_limits import cost_methods, dealt
from layerwise.report.costs import measure_costs
from layerwise.report.enough import what_was_left_out
from layerwise.report.figures import Picture, save
from layerwise.report.folder import stopped_after, written_whole
from layerwise.report.limits import limits_of_labels
from layerwise.report.methods import (
    about_changes,
    about_texts,
    code_span,
    grouping,
    methods_markdown,
    plain_in_markdown,
)
from layerwise.report.reading import choose, read_all
from layerwise.report.words import listing
from layerwise.report.write import n_left_out
from layerwise.texts.own import load_texts, read_name

MODEL = {"revision": None, "sha256": {}, "type": "llama", "dtype": "float32", "device": "cpu"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_decoder(save_tiny_decoder(tmp_path_factory.mktemp("models") / "tiny"), "cpu")


@pytest.fixture
def report(tmp_path, small_model, monkeypatch, capsys):
    """Run the command in an empty folder; return its status and its complaints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        status = cli.main(["report", *arguments, "--encoder", str(small_model)])
        return status, capsys.readouterr().err

    return run


def methods_of(texts, decoder, most=10**6, **columns):
    table = pd.DataFrame({"text": texts, "row": range(2, len(texts) + 2), "heading": "",
                          "title": texts, "label": None,
                          "group": [str(i) for i in range(len(texts))]})  # fmt: skip
    costs = measure_costs(read_all(choose(table.assign(**columns), decoder, most), decoder))
    return cost_methods(costs, "tiny", MODEL)


# ---------------------------------------------------------------- of a model that writes


def test_of_single_words_without_titles_no_version_and_no_deal_is_said(tiny):
    said = methods_of([f"Word{i}." for i in range(4)], tiny)
    for word in ("The same texts", "title", "shuffled", "dealt", "groups", "after its first"):
        assert word not in said, word
    assert "in 4 folds, costs" in said
    assert "over texts (" in said
    assert "in its second half" in said
    assert "in a row; the same was counted for 6 widely known texts" in said


def test_of_sentences_words_are_shuffled_and_nothing_else(tiny):
    said = methods_of(sentences(12), tiny)
    assert "The same texts were read with the words of each sentence shuffled, and" in said
    assert "sentences shuffled" not in said
    assert "in 10 folds, costs" in said


def test_a_version_of_some_texts_says_of_how_many(tiny):
    texts = [" ".join(sentences(4, i)).replace(".", "!") for i in range(3)] + sentences(1, 9)
    headings = ["The bell", "A boat", "", ""]
    said = methods_of(texts, tiny, heading=headings)
    assert "after their own title (2 of 4), after another text's title (2 of 4)" in said
    assert "with sentences shuffled (3 of 4), and compared" in said
    assert "after its first sentence (where it is one sentence, in its second half)" in said


def test_groups_labels_and_dates_are_said_where_they_are(tiny):
    texts, groups = sentences(12), [str(i // 2) for i in range(12)]
    said = methods_of(texts, tiny, group=groups, label=["a", "a", "b", "b"] * 3,
                      date=np.repeat(np.arange(6.0), 2))  # fmt: skip
    assert "in 6 folds that keep groups whole" in said
    assert "intervals over groups (" in said
    assert "Labels and dates were dealt anew 2,000 times" in said
    assert "the logarithm of length taken out and length and date taken out" in said
    assert "have the same label or date count once" in said
    alone = methods_of(texts, tiny, group=groups, label=groups)
    assert "dealt" not in alone  # each label is that of one group: nothing was
    assert "Dates were dealt anew" in methods_of(texts, tiny, date=np.arange(12.0))


def test_beginnings_and_windows_are_said_where_they_are(tiny):
    texts = [" ".join(sentences(60, i)) for i in range(5)]
    assert "first 256 tokens or fewer" in methods_of(texts, tiny, most=800)
    assert "longer texts cut into windows" in methods_of(texts, tiny)
    assert "beginning" not in methods_of(sentences(4), tiny)


def test_nothing_is_dealt_where_no_test_can_be_had():
    test = {"cost": {"p": 0.5}}
    none = {"cost": {"p": np.nan}}
    assert dealt({"labels": test, "dates": none}) == ["labels"]
    assert dealt({}) == []


# ---------------------------------------------------------------- labels of one group


def of_labels(labels, groups):
    groups = list(groups)
    return pd.DataFrame({"label": list(labels), "group": groups, "family": range(len(groups))})


def test_labels_of_one_group_each_say_nothing_of_agreement():
    table = of_labels("aaaaaabbbbbb", "xxxxxxyyyyyy")
    assert not can_agree(table)
    (said,) = limits_of_labels(table)
    assert said.startswith("Each label is that of one text or group alone")
    assert can_agree(of_labels("aaaabb", "uvwxyy"))
    assert can_agree(of_labels("aabb", "xxxx"))  # of one group, each text is one by itself


def test_labels_are_counted_in_groups_and_those_of_one_are_named():
    table = of_labels("a" * 12 + "b" * 12, [*"uvwxyz" * 2, *"m" * 12])
    (said,) = limits_of_labels(table)
    assert said.startswith("Too few groups of texts to say anything about these labels: 'b' (")
    assert "whose label no other group has" in said
    many = [x for x in "abcdefghijkl" for _ in range(2)]
    groups = [f"{x}{i if x == 'a' else ''}" for i, x in enumerate(many)]
    names, alone = limits_of_labels(of_labels(many, groups))
    assert "fewer than 5 groups of texts" in names
    assert alone.startswith("In one group stand 'b', 'c'")


def test_a_report_whose_labels_stand_in_one_group_prints_no_agreement(tmp_path, report):
    rows = [(text, "abcd"[i % 4]) for i, text in enumerate(sentences(24))]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text,kind"))
    assert report("t.csv", "--text", "text", "--label", "kind", "--group", "kind")[0] == 0
    made = tmp_path / "t-report"
    methods = (made / "methods.md").read_text("utf-8")
    for word in ("**Labels", "chance", "dealt out", "McNemar", "level of tests"):
        assert word not in methods, word
    numbers = json.loads((made / "numbers.json").read_text("utf-8"))
    assert numbers["numbers"]["tiny"]["agreement"] is None
    assert any("alone, and no text" in x for x in numbers["limits"]["tiny"])
    assert not (made / "figures" / "labels.svg").exists()


# ---------------------------------------------------------------- the paragraphs


TEXTS = {"file": "a.csv", "file_sha256": "0", "n_rows": 3, "n_texts": 24, "n_usable": 24,
         "is_sample": False, "passages": "paragraph", "group": "who", "n_groups": 3,
         "n_joined": 0, "n_labels": 3, "n_words": 99, "median_words": 4.0, "has_spaces": True,
         "sha256": "1"}  # fmt: skip


def test_passages_are_called_so_and_tests_are_said_where_there_are_some():
    said = about_texts(TEXTS, True)
    assert "24 passages were measured with 3 labels, its texts cut by paragraph;" in said
    assert "a median of 4 a passage" in said
    assert "labels are dealt out" in said
    assert "counts once in a test" in said
    assert "24 texts were measured with 3 labels;" in about_texts(
        {**TEXTS, "passages": None}, True
    )
    assert "dealt out" not in grouping(TEXTS, False)
    assert "in a test" not in grouping(TEXTS, False)


@pytest.mark.parametrize(("n_kept", "says"), [(3, True), (4, False)])
def test_changes_are_said_to_be_of_a_sample_if_they_are(n_kept, says):
    measured = SimpleNamespace(numbers={"words": {"n_texts": n_kept}}, groups=range(4))
    last = {"same text, rotated": "0.5", "same text, shifted": "0.4"}
    assert ("3 of the texts, drawn at random" in about_changes(measured, last)) == says
    assert about_changes(measured, {}) == ""


def test_rows_that_were_left_out_are_counted_once(tmp_path):
    rows = [*[(text,) for text in sentences(4)], ("",), (sentences(1)[0],)]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text"))
    texts = load_texts(tmp_path / "t.csv")
    assert len(texts.table) + n_left_out(texts.report) == 6


def test_markdown_shows_names_as_they_are():
    command = "layerwise report 'a`b.csv' --text '$text$'"
    said = ["Texts. From <script>alert(1)</script> of *a*\n\n# b, $c$ [d](e) &lt; p < 0.05.",
            f"Software. x 1. Command: {command}. Seed 0."]  # fmt: skip
    made = methods_markdown("$x$\n_y_ z_z", said, command)
    head, texts, software, sources, *_ = made.split("\n\n")
    assert head == r"# Methods: \$x\$ \_y\_ z_z"
    assert texts == (
        r"**Texts.** From &lt;script>alert(1)&lt;/script> of \*a\* # b, \$c\$ \[d\](e) "
        r"&amp;lt; p < 0.05."
    )
    assert software == f"**Software.** x 1. Command: ``{command}``. Seed 0."
    assert sources == "## Sources"
    assert "Levy" not in made
    assert "Levy, R." in methods_markdown("x", ["Surprisal. (Levy 2008)"], command)
    assert code_span("a") == "`a`"
    assert plain_in_markdown("p < 0.001; all-MiniLM-L6-v2 & x") == (
        "p < 0.001; all-MiniLM-L6-v2 & x"
    )


def test_a_command_is_one_line_that_a_shell_reads():
    for argument in ["a\nb's \\ c", "$text$", "<script>", "ü b", "plain", "", "a\tb"]:
        said = in_shell(argument)
        assert "\n" not in said
        heard = subprocess.run(
            ["bash", "-c", f"printf %s {said}"], capture_output=True, text=True, check=True
        ).stdout
        assert heard == argument
    assert in_shell("a b") == shlex.quote("a b")


def test_names_in_a_row():
    assert [listing(x) for x in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a", "a and b", "a, b, and c",
    ]  # fmt: skip


def test_a_figure_saved_twice_is_the_same_file(tmp_path):
    for name in "ab":
        figure, axes = new_figure()
        axes.plot([1, 2], [3, 4], marker="o")
        axes.set_xlabel("$x$")
        save(Picture("p", figure, "", ""), tmp_path / name)
    for file in ("p.svg", "p.png"):
        one, other = ((tmp_path / name / file).read_bytes() for name in "ab")
        assert one == other, file
    assert b"<text" not in one


# ---------------------------------------------------------------- what is asked


def test_all_that_is_wrong_with_options_is_said_before_the_texts_are_read(tmp_path, report):
    (tmp_path / "t.csv").write_text("text\n")  # it would be refused
    asked = ("--text ''|--label ''|--size 0|--overlap 0|--date ''|--most-tokens 0|"
             "--decoder nix|--device quantum|--group ''|--out no/where").split("|")  # fmt: skip
    arguments = [x.strip("'") for one in asked for x in one.split(" ", 1)]
    status, said = report("t.csv", *arguments)
    assert status == 1
    assert "reading" not in said
    for words in [*asked[:-1], "name a unit with --passages", "only with --surprisal",
                  "--size 0: at least 1", "--most-tokens 0: at least 1",
                  "--device quantum: use auto", "there is no folder"]:  # fmt: skip
        assert words in said, words
    status, said = report("t.csv", "--passages", "token", "--size", "-5", "--overlap", "-1")
    assert "--size -5: at least 1" in said
    assert "--overlap -1: at least 0" in said
    status, said = report("t.csv", "--passages", "token", "--size", "5", "--overlap", "5")
    assert "--overlap 5: less than --size 5 is needed" in said
    status, said = report("t.csv", "--encoder", "")
    assert "--encoder '': a name is needed" in said


def test_embed_refuses_an_empty_name_and_a_device_that_is_none(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("text\nx\n")
    asked = ["--text", "", "--device", "quantum", "--out", str(tmp_path / "v")]
    assert cli.main(["embed", str(tmp_path / "t.csv"), *asked]) == 1
    said = capsys.readouterr().err
    assert "--text '': a name is needed; --device quantum: use auto" in said


def test_too_few_texts_say_what_was_left_out(tmp_path, report):
    lines = ['{"text": "A long day at sea."}', "no JSON", "none either", '{"text": ""}',
             '{"text": "A long day at sea."}']  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    status, said = report("t.jsonl", "--text", "text")
    assert status == 1
    assert "1 text (left out are lines that are not JSON: rows 2–3; no text: row 4; " in said
    assert "a text that stands in the file before: row 5) cannot be compared" in said
    assert what_was_left_out(load_texts(tmp_path / "t.jsonl").report.iloc[:0]) == ""


def test_a_column_without_a_date_is_refused(tmp_path):
    rows = [(text, "sea", "", "1862" if i else "") for i, text in enumerate(sentences(3))]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text,theme,empty,year"))
    with pytest.raises(ValueError, match=r"'theme' does not hold dates: none of 3 .*'sea'"):
        load_texts(tmp_path / "t.csv", "text", date="theme")
    with pytest.raises(ValueError, match="'empty' is empty in all 3 rows"):
        load_texts(tmp_path / "t.csv", "text", date="empty")
    assert load_texts(tmp_path / "t.csv", "text", date="year").table["date"].notna().sum() == 2


def test_a_date_of_a_spreadsheet_is_a_name_without_midnight(tmp_path):
    assert read_name(datetime.datetime(1850, 3, 4)) == "1850-03-04"
    assert read_name(pd.Timestamp("1850-03-04 10:00")) == "1850-03-04 10:00:00"
    assert read_name(pd.NaT) is None
    days = pd.to_datetime(["1850-03-04", "1850-03-05", None])
    pd.DataFrame({"text": sentences(3), "day": days}).to_parquet(tmp_path / "t.parquet")
    labels = load_texts(tmp_path / "t.parquet", "text", "day").table["label"]
    assert labels.dropna().tolist() == ["1850-03-04", "1850-03-05"]


def test_a_stop_after_the_report_is_in_place_says_where_it_is(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt, match="is in x"), stopped_after("x"):
        raise KeyboardInterrupt

    class Stopped(folder_module.tempfile.TemporaryDirectory):
        def __exit__(self, *args):
            super().__exit__(*args)
            raise KeyboardInterrupt

    monkeypatch.setattr(folder_module.tempfile, "TemporaryDirectory", Stopped)
    with (
        pytest.raises(KeyboardInterrupt, match="stopped; what was asked for is in"),
        written_whole(tmp_path / "made"),
    ):
        pass
    assert (tmp_path / "made").is_dir()
    with pytest.raises(KeyboardInterrupt, match=r"^$"), written_whole(tmp_path / "not"):
        raise KeyboardInterrupt
