"""`layerwise report --surprisal`: reading with a model that writes, and its controls."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_tables import TABLES, csv_of, sentences
from tiny_checkpoints import BERT, save_tiny, save_tiny_decoder

from layerwise import cli
from layerwise.by_hand import ngrams
from layerwise.by_heart import (
    WIDELY_KNOWN,
    place_to_go_on,
    ranks_after,
    recited,
    recited_of_known,
)
from layerwise.decoders import load_decoder
from layerwise.evaluation import bootstrap_interval
from layerwise.report import reading as reading_module
from layerwise.report.cost_figures import wording
from layerwise.report.cost_findings import (
    FAILS,
    READS_BETTER,
    beyond_words,
    by_heart_finding,
    cost_findings,
    judged,
    label_findings,
    recited_texts,
    survives,
)
from layerwise.report.cost_limits import cost_methods
from layerwise.report.cost_page import strip_html
from layerwise.report.cost_tests import by_date, by_label, dealt_test, share_between, without
from layerwise.report.costs import (
    counted_costs,
    in_parts,
    measure_costs,
    title_kinds,
    up_to,
)
from layerwise.report.findings import NO, OPEN, YES
from layerwise.report.reading import BEGINNING, are_verse, choose, line_spans, read_all
from layerwise.surprisal import (
    kept_readings,
    read_text,
    shuffle_words_of_prose,
    token_ids,
    versions,
)
from layerwise.texts.dates import read_date
from layerwise.texts.own import load_texts
from layerwise.texts.passages import passage_spans, token_spans
from layerwise.texts.poems import load_poems

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Tiny models in a folder: two that write, and one that does not."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny_decoder(folder / "writes")
    save_tiny_decoder(folder / "gpt2", "gpt2")
    save_tiny(folder / "reads", "bert", "bert", **BERT)
    return folder


@pytest.fixture(scope="module")
def tiny(folders):
    return load_decoder(folders / "writes", "cpu")


def as_table(poems: pd.DataFrame) -> pd.DataFrame:
    """Poems as the report's own table."""
    return poems.assign(
        row=range(2, len(poems) + 2), heading=poems["title"], label=poems["theme"],
        date=poems["year"].astype(float), group=[str(i) for i in range(len(poems))],
    )  # fmt: skip


# ---------------------------------------------------------------- the chapter's numbers


@pytest.fixture(scope="module")
def of_poems(decoder):
    """What is said of the poems, read once by the book's decoder and kept with the package."""
    poems = load_poems()
    kept = dict(list(kept_readings().groupby(["condition", "number"])))
    by_text = {
        (x.before, x.text): kept[x.condition, x.number].sort_values("start", kind="stable")
        for x in versions(poems, decoder).itertuples()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            reading_module, "read_text",
            lambda text, decoder, before="": by_text[before, text].reset_index(drop=True),
        )  # fmt: skip
        return measure_costs(read_all(choose(as_table(poems), decoder, 20_000), decoder))


@pytest.fixture(scope="module")
def chapter(decoder):
    """The chapter's own cells on the kept readings, by name of what they compute."""
    import jupytext

    cells = jupytext.read(ROOT / "chapters" / "writing.md").cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    poems = load_poems()
    readings = kept_readings()
    every = versions(poems, decoder)
    names = {
        "pd": pd, "np": np, "re": re, "poems": poems, "texts": poems["text"].tolist(),
        "readings": readings, "bootstrap_interval": bootstrap_interval, "number": str,
        "every": every.assign(characters=every["text"].str.len()),
        "by": ["condition", "number"],
    }  # fmt: skip
    for wanted in ["def compared(", 'headings = ["own title"', "by_counts = np.zeros",
                   "def plain(", "def stems(", "def words_of(", "def last_minus_others",
                   "def recited("]:  # fmt: skip
        (cell,) = [x for x in code if wanted in x]
        with pd.option_context("display.float_format", None):
            exec(compile(cell, wanted, "exec"), names)
    return names


def test_the_poems_have_the_numbers_of_the_chapter(of_poems, chapter):
    ours = of_poems.versions
    for name in ("words shuffled", "lines shuffled", "stanzas shuffled"):
        theirs = chapter["compared"](name)
        found = ours.loc[name]
        assert [found["mean"], found["n"], found["above"]] == pytest.approx(
            [theirs["more"], theirs["of"], theirs["more in"]], abs=1e-6
        )
        # a bootstrap draws the same texts in the same order
        assert [found["low"], found["high"]] == pytest.approx(
            [theirs["low"], theirs["high"]], abs=1e-6
        )
    gain = chapter["gain"]
    assert ours.loc["saved beside counting", "mean"] == pytest.approx(gain, abs=1e-6)
    saved, beyond = chapter["saved"], chapter["own_beyond"]
    begins, never = chapter["begins"], chapter["never"]
    for name, theirs in [
        ("saved by its own title", saved["own title"]),
        ("saved by another's title", saved["another's title"]),
        ("own beyond another's: title begins the text", beyond[begins]),
        ("own beyond another's: title's words never come", beyond[never]),
    ]:
        assert ours.loc[name, "mean"] == pytest.approx(theirs.mean(), abs=1e-6)
        assert ours.loc[name, "n"] == len(theirs)
    assert abs(beyond[never].mean() - beyond[~begins].mean()) > 1e-4  # another would not pass


def test_last_words_and_what_is_recited_are_the_chapters(of_poems, chapter):
    words = chapter["words"]
    for name, kept in [("all words", words["bits"] > -1), ("function words", ~words["content"]),
                       ("words with content", words["content"])]:  # fmt: skip
        theirs = chapter["last_minus_others"](words[kept])
        ours = of_poems.versions.loc[f"last words: {name}"]
        assert ours["mean"] == pytest.approx(theirs.mean(), abs=1e-5)
        assert ours["n"] == len(theirs)
    ours = of_poems.reading.recited["tokens"]
    assert ours.tolist() == chapter["by_heart"].sort_index().tolist()
    assert ours.sum() > 0


def test_the_widely_known_texts_are_the_chapters():
    text = (ROOT / "chapters" / "writing.md").read_text("utf-8")
    known = ast.literal_eval(re.search(r"^known = (\{.*?^\})", text, re.M | re.S)[1])
    name, tyger = re.search(r'^known\["(\w+)"\] = (\(.*?\))\n', text, re.M | re.S).groups()
    known[name] = ast.literal_eval(tyger)
    assert known == WIDELY_KNOWN


def test_of_the_poems_the_right_findings_fail_their_controls(of_poems):
    holds = {x["claim"]: x["holds"] for x in cost_findings(of_poems)}
    assert holds["The order of lines counts, beyond runs of characters"] == YES
    assert holds[READS_BETTER] == YES
    failing = {claim for claim, verdict in holds.items() if verdict == FAILS}
    assert failing == {
        "The order of words in a line counts, beyond runs of characters",
        "Its title helps to guess a text, beyond the words that it gives away",
        "As one reads on, a text is easier to guess, because of its course",
        "The last word of a line costs more than others",
        "Labels differ in more than words: in what the order of words is worth",
    }
    assert holds["The model has some of these texts by heart"] == NO


# ---------------------------------------------------------------- each control, and its twin


def row(mean, low, high, n=40):
    return pd.Series({"mean": mean, "low": low, "high": high, "n": n, "above": n})


def test_a_finding_that_its_control_shows_as_well_fails():
    there, absent, turned = row(0.3, 0.2, 0.4), row(0.1, -0.1, 0.3), row(-0.3, -0.4, -0.2)
    assert judged(there, row(0.2, 0.1, 0.3)) == YES
    assert judged(there, absent) == judged(there, turned) == FAILS
    assert judged(absent, there) == OPEN
    assert judged(turned, there) == NO
    assert judged(row(np.nan, np.nan, np.nan, 0), there) == OPEN
    assert survives({"p": 0.01}, [{"p": 0.04}, {"p": np.nan}]) == YES
    assert survives({"p": 0.01}, [{"p": 0.2}]) == FAILS
    assert survives({"p": 0.2}, [{"p": 0.01}]) == OPEN


def test_counting_never_sees_the_text_it_reads_or_its_group():
    texts = ["a rose is a rose", "some words of another kind", "zzz qqq"] * 3
    apart, together = np.arange(9), np.tile([0, 1, 2], 3)
    leaky = counted_costs({"printed": texts}, apart)["printed"]
    fair = counted_costs({"printed": texts}, together)["printed"]
    for copied, alone in zip(leaky, fair, strict=True):
        assert copied.mean() < 0.6 * alone.mean()  # its copies stand on the other side
    letters = [list(text) for text in texts]
    others = [x for x, group in zip(letters, together, strict=True) if group != 2]
    model = ngrams.kneser_ney(ngrams.kneser_ney_tables(others, 5),
                              len(ngrams.find_vocabulary(letters)))  # fmt: skip
    np.testing.assert_allclose(fair[8], ngrams.surprisal(model, letters[8], 5))
    few = counted_costs({"printed": texts[:2]}, np.array([0, 1]))["printed"]
    assert all(np.isnan(each).all() for each in few)


def made_up(n=60, seed=0):
    """Costs that follow length alone, and a label that follows length."""
    rng = np.random.default_rng(seed)
    length = rng.integers(20, 900, n)
    printed = 4 - 0.4 * np.log(length) + rng.normal(0, 0.05, n)
    bits = pd.DataFrame({
        "printed": printed, "words shuffled": printed + 0.5 + rng.normal(0, 0.05, n),
        "counted": printed + 1 + rng.normal(0, 0.05, n),
        "words shuffled, counted": printed + 1.3 + rng.normal(0, 0.05, n),
    }, index=pd.RangeIndex(2, n + 2, name="row"))  # fmt: skip
    table = pd.DataFrame({
        "text": ["x" * k for k in length], "date": length + rng.normal(0, 60, n),
        "label": np.where(length > 300, "long", "short"),
    })  # fmt: skip
    return bits, table, pd.Series(range(n), index=bits.index)


def test_labels_and_dates_that_follow_length_fail_when_it_is_taken_out():
    bits, table, groups = made_up()
    for measure in (by_label, by_date):
        listed, tests = measure(bits, table, groups)
        assert tests["cost"]["p"] < 0.01 < 0.05 < tests["length taken out"]["p"]
        assert survives(tests["cost"], [tests["length taken out"]]) == FAILS
        assert listed["n_texts"].sum() == len(table)
    bits["printed"] += np.where(table["label"] == "long", -1.0, 1.0)  # and now more than length
    table["date"] = table["date"].to_numpy()[np.argsort(np.argsort(bits["printed"]))]
    _, tests = by_label(bits, table, groups)
    assert survives(tests["cost"], [tests["length taken out"]]) == YES


def test_labels_of_one_source_count_once():
    rng = np.random.default_rng(2)
    source = np.repeat(np.arange(8), 10)
    values = rng.normal(size=8)[source] + 0.01 * rng.normal(size=80)
    labels = pd.Series(np.array(["a", "b"])[source % 2])
    alone = dealt_test(values, labels, pd.Series(range(80)), share_between)
    grouped = dealt_test(values, labels, pd.Series(source), share_between)
    assert (alone["n"], grouped["n"]) == (80, 8)
    assert grouped["p"] > 0.05
    assert grouped["chance"] > 5 * alone["chance"]


def test_values_are_dealt_and_none_is_made_up():
    values = np.array([0.5, 3.25, 3.25, -1.0, 8.0])
    seen = []
    labels = pd.Series(list("aabbb"))
    dealt_test(values, labels, pd.Series(range(5)), lambda given, own: seen.append(own) or 0.0)
    assert {tuple(sorted(own)) for own in seen} == {tuple(sorted(values))}
    assert len({tuple(own) for own in seen}) > 50


def test_an_order_that_counting_knows_as_well_is_none_of_the_models():
    bits, table, groups = made_up()
    more = np.where(table["label"] == "long", 0.4, 0.0)
    bits["words shuffled"] += more
    _, of_model = by_label(bits, table, groups)
    assert beyond_words("x", of_model, str)["holds"] == YES
    bits["words shuffled, counted"] += more
    _, of_both = by_label(bits, table, groups)
    assert of_both["worth of word order"]["p"] < 0.01
    assert beyond_words("x", of_both, str)["holds"] == FAILS


def test_a_label_that_is_one_group_cannot_be_told_from_it():
    bits, table, _ = made_up()
    groups = pd.Series(np.arange(60) // 6, index=bits.index)
    table["label"] = [f"speaker {group}" for group in groups]
    listed, tests = by_label(bits, table, groups)
    assert np.isnan(tests["cost"]["p"])
    assert survives(tests["cost"], []) == OPEN
    assert listed["low"].isna().all()
    table["label"] = [f"party {group % 2}" for group in groups]
    listed, tests = by_label(bits, table, groups)
    assert 0 < tests["cost"]["p"] <= 1
    assert (listed["low"] < listed["bits_a_character"]).all()


def test_what_is_left_without_a_line_is_uncorrelated_with_it():
    x = np.array([1.0, 2, 4, 8, np.nan, 3])
    left = without(3 - 2 * x + np.array([0.1, -0.2, 0, 0.1, 0, 0.05]), x)
    assert np.isnan(left[4])
    known = np.isfinite(x)
    assert np.corrcoef(left[known], x[known])[0, 1] == pytest.approx(0, abs=1e-9)


def test_titles_that_give_words_away_are_told_from_others():
    kinds = title_kinds(
        ["I'm nobody", "A Book", "Nature", ""],
        ["I'M NOBODY! Who are you?", "There is no frigate like a book", "A bird", "Text"],
    )
    assert kinds.tolist() == [
        "title begins the text", "title's words come later", "title's words never come", "",
    ]  # fmt: skip


def test_the_measure_of_memory_fires_on_what_is_recited(of_poems):
    recited_by = of_poems.reading.recited.copy()
    recited_by.iloc[7, 0] = 12
    with_one = of_poems._replace(reading=of_poems.reading._replace(recited=recited_by))
    assert by_heart_finding(with_one)["holds"] == YES
    recited_by.iloc[9, 1] = 15  # a shuffled text is "recited" for longer: chance
    assert by_heart_finding(with_one)["holds"] == NO
    mute = with_one.reading._replace(known=dict.fromkeys(WIDELY_KNOWN, 0))
    assert by_heart_finding(with_one._replace(reading=mute))["holds"] == OPEN
    recited_by.iloc[9, 1] = 11  # one fewer than the longest
    assert recited_texts(with_one)["tokens"].tolist() == [12]


def test_where_a_text_is_to_be_gone_on_with():
    verse, prose = "One line,\nand two", "One sentence. And two."
    assert verse[place_to_go_on(verse, True) :] == "and two"
    assert prose[place_to_go_on(prose, False) :] == "And two."
    assert "one two three"[place_to_go_on("one two three", False) :] == "three"
    tokens = pd.DataFrame({"start": [0, 3, 8, 9, 13], "rank": [5, 7, 1, 0, 0]})
    place = place_to_go_on(verse, True)  # 10: the token at 9 would be the line end's
    assert ranks_after(tokens, place, len(verse)).tolist() == [0, 0]
    assert recited([0, 0, 4, 0]) == 2


def test_a_known_text_that_is_longer_than_the_model_reads_is_left_out(tiny, monkeypatch):
    lengths = {name: len(token_ids(rest, tiny, begun)[0])
               for name, (begun, rest) in WIDELY_KNOWN.items()}  # fmt: skip
    limit = sorted(lengths.values())[3]  # one is just short enough
    monkeypatch.setattr(tiny.model.config, "max_position_embeddings", limit)
    short = {name for name, length in lengths.items() if length <= limit}
    assert set(recited_of_known(tiny)) == short < set(WIDELY_KNOWN)


# ---------------------------------------------------------------- what is read


def test_too_much_is_drawn_and_cut_and_in_the_same_way_each_time(tiny):
    table = pd.DataFrame({"text": [f"{i}. " + "the inn was in the lane. " * (3 + i) for i in
                                   range(60)]})  # fmt: skip
    table = table.assign(row=range(60), heading="")
    chosen, again = (choose(table, tiny, 3000) for _ in range(2))
    assert chosen.facts["n_tokens"] <= 3000
    assert 3 <= chosen.facts["n_texts"] < chosen.facts["n_usable"] == 60
    assert chosen.facts["n_beginnings"] > 0
    pd.testing.assert_frame_equal(chosen.table, again.table)
    spans = token_spans(tiny.tokenizer)
    for x in chosen.table.itertuples():
        text = table["text"][x.row]
        assert text.startswith(x.text)
        if x.text != text.strip():  # whole sentences, as many as have room
            first, after = passage_spans(text, "sentence", BEGINNING, 0, spans)[:2]
            assert x.text == text[slice(*first)]
            assert len(spans(text[: after[1]])) > BEGINNING
    everything = choose(table, tiny, 10**6)
    assert everything.facts["n_texts"] == 60
    assert everything.facts["n_beginnings"] == 0


def test_a_text_longer_than_the_model_reads_is_cut_into_windows(folders):
    decoder = load_decoder(folders / "gpt2", "cpu")  # 256 positions
    long = " ".join(sentences(30))
    table = pd.DataFrame({"text": [long, "the inn.", "the thing."], "row": [2, 3, 4],
                          "heading": ["A title", "Inn", "Thing"]})  # fmt: skip
    table = table.assign(title=table["heading"], label=None, group=["a", "b", "c"])
    chosen = choose(table, decoder, 10**6)
    assert chosen.facts["n_in_windows"] == 1
    assert chosen.facts["window"] == 128
    for x in chosen.pieces.itertuples():
        assert table.set_index("row")["text"][x.row][x.start :].startswith(x.text)
    read = read_all(chosen, decoder)
    pieces = chosen.pieces[chosen.pieces["row"] == 2]["text"]
    bits = sum(read_text(text, decoder)["bits"].sum() for text in pieces)
    n_characters = pieces.str.len().sum()
    assert read.bits.loc[2, "printed"] == pytest.approx(bits / n_characters)
    titled = sum(read_text(text, decoder, "A title\n\n")["bits"].sum() for text in pieces)
    assert read.bits.loc[2, "own title"] == pytest.approx(titled / n_characters)


def test_windows_of_indented_verse_are_read_as_they_are(folders):
    decoder = load_decoder(folders / "gpt2", "cpu")  # reads 128 tokens at once
    text = "the inn\n\n" + "\n".join(["  in the lane was the thing"] * 60)
    table = pd.DataFrame({"text": [text, "the inn\nwas."], "row": [2, 3], "heading": "",
                          "title": "", "label": None, "group": ["a", "b"]})  # fmt: skip
    chosen = choose(table, decoder, 10**6)
    assert chosen.is_verse
    assert chosen.facts["n_in_windows"] == 1
    tokens = read_all(chosen, decoder).tokens
    expected = [read_text(x.text, decoder).assign(row=x.row, start=lambda t, x=x: t["start"] +
                x.start) for x in chosen.pieces.itertuples()]  # fmt: skip
    columns = ["row", "start", "bits"]
    pd.testing.assert_frame_equal(
        tokens[columns].reset_index(drop=True),
        pd.concat(expected)[columns].reset_index(drop=True), check_dtype=False,
    )  # fmt: skip


def test_lines_and_words_add_up_to_the_text(tiny):
    poems = load_poems().head(4)
    costs = measure_costs(read_all(choose(as_table(poems), tiny, 10**6), tiny))
    for number, (_, lines) in enumerate(costs.lines.groupby("row")):
        text = poems["text"].iloc[number]
        assert lines["text"].tolist() == [text[a:b] for a, b in line_spans(text)]
        assert lines["n_characters"].sum() == len(text)
        whole = read_text(text, tiny)
        assert lines["bits"].sum() == pytest.approx(whole["bits"].sum())
        first = whole[whole["start"] < text.index("\n") + 1]["bits"].sum()
        assert lines["bits"].iloc[0] == pytest.approx(first)


@pytest.mark.parametrize("n_texts", [2, 4])
@pytest.mark.parametrize("is_verse", [True, False])
def test_parts_of_texts_and_counting_are_named_as_what_they_were(tiny, is_verse, n_texts):
    poems = load_poems().head(n_texts)
    if not is_verse:
        prose = [" ".join(sentences(3, seed)).replace(".", "!") for seed in range(n_texts)]
        poems = poems.assign(text=prose)
    costs = measure_costs(read_all(choose(as_table(poems), tiny, 10**6), tiny))
    names = ["lines shuffled", "stanzas shuffled"]
    theirs = names if is_verse else ["sentences shuffled", "paragraphs shuffled"]
    assert [wording(costs, name) for name in names] == theirs
    model = {"revision": None, "sha256": {}, "type": "llama", "dtype": "float32",
             "device": "cpu"}  # fmt: skip
    methods = cost_methods(costs, "tiny", model)
    assert ("that counted the other texts" in methods) == (n_texts == 4)  # 2 are too few
    assert f"with {theirs[0]}" in methods
    assert (f", and with {theirs[1]}" in methods) == is_verse  # prose of one paragraph


def test_verse_is_told_from_prose():
    assert are_verse(load_poems()["text"])
    assert not are_verse(pd.Series(sentences(10)))
    assert not are_verse(pd.Series(["\n".join([" ".join(sentences(3))] * 3)] * 4))  # paragraphs
    at_most, longer = (pd.Series([f"{'x' * n}\n{'y' * n}"] * 3) for n in (100, 101))
    assert are_verse(at_most)
    assert not are_verse(longer)


def test_words_of_prose_stay_in_their_sentence():
    text = "One two three four. Five six seven eight!"
    shuffled = shuffle_words_of_prose(text, np.random.default_rng(1))
    assert shuffled != text
    assert {*shuffled[:19].split()} == {"One", "two", "three", "four."}
    assert {*shuffled[20:].split()} == {"Five", "six", "seven", "eight!"}


@pytest.mark.parametrize(
    ("cell", "year"),
    [(1862, 1862.0), ("1862", 1862.0), ("1862-07", 1862.5), ("-44", -44.0), ("", None),
     ("spring 1862", 1862.0), ("3.4.1862", 1862.0), ("1861 or 1862", None), ("n.d.", None),
     (1862.25, 1862.25), (True, None), (pd.Timestamp("1862-07-01"), 1862.5),
     ("1862-13", None)],
)  # fmt: skip
def test_dates_are_read_as_years(cell, year):
    assert read_date(cell) == (None if year is None else pytest.approx(year))


# ---------------------------------------------------------------- the command


@pytest.fixture
def report(tmp_path, folders, small_model, monkeypatch, capsys):
    """Run the command in an empty folder with tiny models."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        models = ["--encoder", str(small_model), "--device", "cpu"]
        if "--surprisal" in arguments and "--decoder" not in arguments:
            models += ["--decoder", str(folders / "writes")]
        status = cli.main(["report", *arguments, *models])
        output, errors = capsys.readouterr()
        assert "Traceback" not in errors
        if status == 130:  # the command has taken a signal that was meant for the tests
            pytest.exit("stopped from outside", returncode=130)
        return status, output, errors

    return run


def numbers_of(folder):
    return json.loads((folder / "numbers.json").read_text("utf-8"))["surprisal"]


def test_everything_is_in_the_folder_and_every_link_leads_somewhere(tmp_path, report):
    load_poems().iloc[:24].to_csv(tmp_path / "p.csv", index=False)
    status, output, errors = report(
        "p.csv", "--text", "text", "--label", "theme", "--title", "title", "--date", "year",
        "--surprisal",
    )  # fmt: skip
    assert status == 0, errors
    assert re.search(r"versions of texts, [\d,]+ tokens: about \d+ min, until \d\d:", errors)
    folder = tmp_path / "p-report"
    names = {"orders", "position", "titles", "labels"}
    for name in names:
        for ending in ("svg", "png"):
            assert (folder / "figures" / f"surprisal-{name}.{ending}").stat().st_size > 1000
    page = (folder / "index.html").read_text("utf-8")
    for link in re.findall(r'href="([^#"]+)"', page):
        assert (folder / link).is_file(), link
    facts = numbers_of(folder)
    for claim in facts["claims"]:
        assert claim["claim"] in output
    tokens = pd.read_csv(folder / "tables" / "surprisal-tokens.csv")
    assert len(tokens) == facts["read"]["n_tokens"] == len(tokens.dropna())
    methods = (folder / "methods.md").read_text("utf-8")
    (decoder,) = facts["decoder"].values()
    assert decoder["sha256"]["model.safetensors"] in methods
    assert f"{facts['read']['n_tokens']:,} tokens" in methods
    texts = pd.read_csv(folder / "tables" / "texts.csv")
    assert "heading" not in texts


def test_a_model_that_cannot_read_says_so_and_nothing_holds(tmp_path, report):
    rows = [(text, "ab"[i % 2], 1800 + i) for i, text in enumerate(sentences(30))]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text,kind,year"))
    status, _, errors = report("t.csv", "--label", "kind", "--date", "year", "--surprisal")
    assert status == 0, errors
    facts = numbers_of(tmp_path / "t-report")
    assert {x["claim"]: x["holds"] for x in facts["claims"]}.pop(READS_BETTER) == NO
    assert {x["holds"] for x in facts["claims"] if x["claim"] != READS_BETTER} == {OPEN}
    said = " ".join(facts["limits"])
    assert "does not read their language" in said
    assert "without a column of titles" in said.lower()
    assert "Each text is one sentence" in said
    assert "does not recite texts that are on the web everywhere" in said


SAID = {
    "german": ["Without dates that differ"],
    "chinese": ["There is nothing to shuffle"],
    "three_rows": ["with fewer than 20 no claim", "counted badly"],
    "one_label": ["Without labels that differ"],
    "novel_in_passages": ["All that was read is one text", "without a column of titles"],
    "everything_wrong": ["Without dates that differ"],
    "tweets": [],
}


@pytest.mark.parametrize("name", SAID)
def test_tables_that_a_scholar_might_have(name, tmp_path, report):
    arguments = TABLES[name](tmp_path)
    status, output, errors = report(*arguments, "--surprisal", "--most-tokens", "2500")
    assert status == 0, errors
    limits = numbers_of(tmp_path / f"{Path(arguments[0]).stem}-report")["limits"]
    for words in SAID[name]:
        assert any(words.lower() in limit.lower() for limit in limits), (words, limits)
    for limit in limits:
        assert limit in output


@pytest.mark.parametrize("document", ["README.md", "chapters/writing.md"])
def test_the_command_that_documents_name_runs(document, tmp_path, report):
    text = (ROOT / document).read_text("utf-8")
    (options,) = re.findall(r"layerwise report texts.csv ([^`]*--surprisal[^`]*)`", text)
    load_poems().iloc[:4].rename(columns={"theme": "label"}).to_csv("texts.csv", index=False)
    status, _, errors = report("texts.csv", *options.split())
    assert status == 0, errors
    assert numbers_of(tmp_path / "texts-report")["claims"]


def test_dates_that_cannot_be_read_are_named(tmp_path):
    rows = [("One text.", "1862"), ("Two texts.", "n.d."), ("Three texts.", "May 1863")]
    (tmp_path / "t.csv").write_text(csv_of(rows, "text,when"))
    table, found = load_texts(tmp_path / "t.csv", "text", date="when")
    assert table["date"].tolist()[::2] == [1862.0, 1863.0]
    (undated,) = found[found["found"] == "no date that could be read"]["rows"]
    assert undated == [3]
    with pytest.raises(ValueError, match="no column 'wen'"):
        load_texts(tmp_path / "t.csv", "text", date="wen")


def test_bad_options_are_one_sentence_and_leave_nothing(tmp_path, report, folders):
    (tmp_path / "t.csv").write_text(csv_of([(text,) for text in sentences(5)], "text"))
    save_tiny_decoder(tmp_path / "mute").joinpath("tokenizer_config.json").write_text("{}")
    files = {path.name for path in tmp_path.iterdir()}
    for arguments, sentence in [
        (["--decoder", "x", "--date", "text"],
         "--decoder x and --date text: only with --surprisal"),
        (["--most-tokens", "5"], "only with --surprisal"),
        (["--surprisal", "--most-tokens", "0"], "at least 1 is needed"),
        (["--surprisal", "--date", "txet"], "did you mean 'text'"),
        (["--surprisal", "--decoder", str(folders / "reads")], "is of the type 'bert'"),
        (["--surprisal", "--decoder", "no such/model!"], "unknown checkpoint"),
        (["--surprisal", "--decoder", str(tmp_path / "mute")], "no token to begin a text"),
    ]:
        status, output, errors = report("t.csv", *arguments)
        said = [line for line in errors.splitlines() if line.startswith("layerwise: ")]
        assert (status, output, len(said)) == (1, "", 1), errors
        assert sentence in said[0], errors
        assert {path.name for path in tmp_path.iterdir()} == files


def test_a_text_is_set_token_by_token_and_never_a_program():
    text = "<b>&hope"
    tokens = pd.DataFrame({"start": [0, 3, 4, 4], "bits": [8.0, 2.0, 1.0, 1.0]})
    strip = strip_html(text, tokens, 8.0)
    assert "&lt;b&gt;" in strip
    assert re.findall(r"--bits: (\d+)%", strip) == ["40", "10", "10"]
    assert re.sub("<[^>]+>", "", strip) == "&lt;b&gt;&amp;hope"


def test_parts_are_means_of_their_tenth():
    bits = np.array([3.0, 5, 1, 1, 2, 2, 0, 4, 7, 9, 1, 1, 6, 2, 8, 8, 1, 3, 0, 2])
    np.testing.assert_allclose(in_parts(bits), bits.reshape(10, 2).mean(axis=1))
    assert in_parts(np.repeat([2.5], 37)).mean() == pytest.approx(2.5, rel=0.02)
    assert np.isnan(in_parts(np.array([]))).all()


@pytest.mark.parametrize("p", [0.01, np.nan])
def test_labels_that_cannot_be_compared_are_said_to_be(of_poems, p):
    tests = {name: dict(x) for name, x in of_poems.tests["labels"].items()}
    tests["cost"] |= {"value": 0.31, "chance": 0.12, "p": p}
    found, _ = label_findings(of_poems._replace(tests={"labels": tests}))
    if np.isnan(p):
        assert (found["value"], found["holds"]) == ("not to be had", OPEN)
    else:
        assert found["value"].startswith(
            "31% of the variance lies between labels, by chance 12%; p = 0.010"
        )
    assert label_findings(of_poems._replace(tests={})) == []


def test_the_share_between_labels_is_that_of_an_analysis_of_variance():
    labels = np.array(["a", "b", "a", "b", "c"])
    values = np.array([5.0, 9.0, 6.0, 10.0, 4.0])
    table = pd.DataFrame({"label": labels, "value": values})
    between = table.groupby("label")["value"].transform("mean")
    assert share_between(labels, values) == pytest.approx(between.var() / table["value"].var())
    assert share_between(labels, np.full(5, 3.0)) == 0


def test_texts_are_drawn_up_to_so_many_characters():
    texts = [list("abc"), list("de"), list("fghi")]
    assert up_to(texts, 9) is texts  # as many as may be
    for most in range(1, 9):
        drawn = up_to(texts, most)
        assert sum(map(len, drawn)) <= most or len(drawn) == 1  # one is needed at least
        assert all(text in texts for text in drawn)
    assert len(up_to(texts, 8)) == 2
