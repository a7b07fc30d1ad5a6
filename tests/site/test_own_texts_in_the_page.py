"""A reader's own texts in the drift explorer: computed in the page, and nowhere else."""

import csv
import io
import itertools

import numpy as np
import pytest
import torch
from explorer_pages import open_page, place
from playwright.sync_api import expect

from layerwise.embedding import embed_layers
from layerwise.models import Encoder
from layerwise.rotation import rotation_baseline
from layerwise.similarity import cosine, drift_table
from layerwise.texts.encodings import NO_TEXT
from layerwise.texts.poems import load_poems
from tools.desk import ROOT
from tools.explorers.make import vocabulary
from tools.explorers.weights import parameters_of, quantize_all, quantized_copy

pytest_plugins = ("explorer_fixtures",)

TEXTS = [
    "The harbour was closed before noon, and nobody said why.",
    "Over the roofs a kite was standing still.",
    "He counted his money twice,\nand then the days.",
    "No letter came.\nNo letter had been promised.",
    "My sister's garden grows in rows; mine, where it likes!",
    "A bell, a dog, a bell.",
    "Übermorgen, sagst du, gehört uns das Café 🐧.",
]


@pytest.fixture
def drift(context, pages):
    page = open_page(context, pages["drift-explorer"], "drift-explorer")
    page.locator("drift-explorer summary", has_text="Your own texts").click()
    yield page
    assert page.problems == []


@pytest.fixture(scope="module")
def as_in_the_page(encoder):
    """The encoder with the rounded weights that the page has."""
    quantized = quantize_all(parameters_of(encoder.model))
    return Encoder(encoder.tokenizer, quantized_copy(encoder.model, quantized), encoder.device)


def compute(page, texts, done="in this page"):
    page.get_by_label("Your texts").fill("\n\n".join(texts))
    page.locator("drift-explorer .own-texts .action").click()
    said = page.locator("drift-explorer .own-texts .status", has_text=done)
    said.wait_for(timeout=60_000)
    return said.text_content()


def shown(page, what):
    return page.locator("drift-explorer").evaluate(f"(e) => ({what})")


def test_the_numbers_are_those_of_the_package(drift, as_in_the_page):
    compute(drift, TEXTS)
    pooled = embed_layers(TEXTS, as_in_the_page, progress=False)
    table = drift_table(pooled, range(len(TEXTS)))
    comparisons = shown(drift, "e.comparisons.map(({ name, values }) => [name, [...values]])")
    names = [name for name, _ in comparisons]
    assert {"same poem", "other poem", "random pair", "same poem, centred"} <= set(names)
    rows = table.set_index("comparison")["cosine"]
    for name, values in comparisons:
        if name in rows.index:
            np.testing.assert_allclose(values, rows[name], atol=0.003, err_msg=name)
    n_layers = len(pooled) - 1
    pairs = np.reshape(shown(drift, "[...e.pairs]"), (n_layers + 1, len(TEXTS), len(TEXTS)))
    np.testing.assert_allclose(pairs, cosine(pooled[:, :, None], pooled[:, None]), atol=0.003)
    assert "7 texts" in drift.locator("drift-explorer .provenance").text_content()
    assert drift.get_by_label("Text", exact=True).locator("option").count() == len(TEXTS)


def test_the_shift_is_that_of_the_package(drift, encoder):
    rng = np.random.default_rng(2)
    token_layers = [rng.normal(1, 2, size=(3, n, 5)) for n in (2, 3, 1, 4, 2, 2, 5)]
    pooled = np.stack([x.mean(axis=1) for x in token_layers], axis=1).astype(np.float32)
    ours = drift.evaluate(
        """async ([layers, n]) => {
          const { compareTexts } = await import("/explorer/compare-texts.mjs");
          const { comparisons } = compareTexts(layers.map((x) => Float32Array.from(x)), n);
          return Object.fromEntries(Object.entries(comparisons).map(([k, v]) => [k, [...v]]));
        }""",
        [pooled.reshape(3, -1).tolist(), len(token_layers)],
    )
    theirs = rotation_baseline(token_layers, range(7)).set_index("comparison")["cosine"]
    for name in ["same poem, shifted", "other poem, shifted"]:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5)
    assert np.abs(np.subtract(ours["same poem, shifted"], ours["same poem"])).max() > 0.1


def test_each_token_stands_where_the_tokenizer_says(drift, encoder):
    tricky = ["[CLS] İstanbul ﬁve zzzqqq 床前 ẞ a\u0301e", "x" * 120]
    texts = [*TEXTS, *tricky, *load_poems()["text"].head(20)]
    batches = encoder.tokenizer(texts, return_offsets_mapping=True, truncation=True)
    theirs = [[x for span in spans for x in span] for spans in batches["offset_mapping"]]
    ours = drift.evaluate(
        """async ([vocabulary, texts]) => {
          const { WordPiece } = await import("/explorer/wordpiece.mjs");
          const { offsetsOf } = await import("/explorer/offsets.mjs");
          const tokenizer = new WordPiece(vocabulary);
          return texts.map((text) => {
            const { tokens } = tokenizer.encode(text);
            const offsets = offsetsOf(text, tokenizer.words(text), tokens.length);
            // Python counts characters, the page counts UTF-16 units
            return offsets.map((end) => [...text.slice(0, end)].length);
          });
        }""",
        [vocabulary(encoder.tokenizer), texts],
    )
    for text, mine, its in zip(texts, ours, theirs, strict=True):
        assert mine == its, text


def test_nothing_leaves_the_page(context, drift, explorer_site):
    compute(drift, TEXTS[:5])  # loads the model
    asked = []
    drift.on("request", lambda request: asked.append(request.url))
    drift.on("websocket", lambda socket: asked.append(socket.url))
    explorer_site.server.asked.clear()
    context.set_offline(True)  # what needed a network would fail, too
    assert "7 texts in" in compute(drift, TEXTS, "7 texts in")
    assert asked == []
    assert explorer_site.server.asked == []
    assert explorer_site.server.posted == {}
    kept = "[document.cookie, localStorage.length, location.hash]"
    assert drift.evaluate(kept) == ["", 0, ""]
    said = drift.locator("drift-explorer .own-texts .note").text_content()
    assert "nothing of them leaves it" in said


def test_the_table_that_is_saved_holds_what_is_shown(drift):
    compute(drift, TEXTS)
    with drift.expect_download() as download:
        drift.get_by_role("button", name="Save as a table").click()
    content = download.value.path().read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    n_layers = shown(drift, "e.n_layers")
    assert len(rows) == n_layers * len(TEXTS)
    assert [row["text"] for row in rows[::n_layers]] == TEXTS
    for row in rows:
        poem, layer = int(row["number"]) - 1, int(row["layer"])
        value = shown(drift, f"e.value({layer}, {poem}, e.comparisons[0])")
        assert float(row["same text"]) == pytest.approx(value, abs=6e-5)
    drift.get_by_role("button", name="Back to the poems").click()
    assert drift.get_by_label("Poem", exact=True).locator("option").count() == 6


def test_files_are_read_and_what_is_left_out_is_said(drift):
    table = 'id;words;note\n1;"One, ""quoted"";\n\nline";x\n2;A second text;y\n3;;z\n'
    table += "4;A second  text;y\n5;🐧🌋;y\n6;The fourth is here;\n7;And a fifth;"
    drift.locator("#own-file").set_input_files(
        {"name": "t.csv", "mimeType": "text/csv", "buffer": ("\ufeff" + table).encode()}
    )
    said = drift.locator("drift-explorer .own-texts .status")
    expect(said).to_have_text(
        "t.csv: 6 texts, of its column “words”. Left out, without a text: 1 row."
    )
    drift.locator("drift-explorer .own-texts .action").click()
    drift.locator("drift-explorer .own-texts .status", has_text="in this page").wait_for()
    assert "4 texts in" in said.text_content()
    assert "without a text: 1 row." in said.text_content()
    assert "since the same stands before: 1 text." in said.text_content()
    assert "without a token that the model knows: 1 text." in said.text_content()
    assert shown(drift, "e.poems.map(({ text }) => text)") == [
        'One, "quoted";\nline', "A second  text", "The fourth is here", "And a fifth",
    ]  # fmt: skip
    assert "at least 4 are needed" in compute(drift, TEXTS[:3], "at least 4")
    drift.get_by_label("Your texts").fill("One line\nanother line\r\nthird\nfourth")
    drift.locator("drift-explorer .own-texts .action").click()
    drift.locator("drift-explorer .own-texts .status", has_text="4 texts in").wait_for()


def test_a_run_can_be_cancelled_and_shows_how_far_it_is(drift):
    compute(drift, TEXTS)
    many = [f"{text} And so on, number {i}, {text}" for i in range(30) for text in TEXTS]
    drift.get_by_label("Your texts").fill("\n\n".join(many))
    drift.locator("drift-explorer .own-texts .action").click()
    drift.locator("drift-explorer .own-texts .status", has_text="of 210 texts").wait_for()
    assert "done at about" in drift.locator("drift-explorer .own-texts .status").text_content()
    drift.get_by_role("button", name="Cancel").click()
    drift.locator("drift-explorer .own-texts .status", has_text="Cancelled").wait_for()
    assert len(shown(drift, "e.poems")) == len(TEXTS)  # what was shown before
    drift.wait_for_timeout(500)
    assert "Cancelled" in drift.locator("drift-explorer .own-texts .status").text_content()
    assert drift.locator("drift-explorer progress").is_hidden()


def test_words_are_shaded_in_the_readers_text(drift, as_in_the_page):
    compute(drift, TEXTS)
    drift.get_by_label("Text", exact=True).select_option("6")
    spans = drift.locator("drift-explorer .poem:visible span")
    titles = spans.evaluate_all("(all) => all.map((x) => [x.textContent, x.title])")
    assert "".join(text for text, _ in titles).replace(" ", "") == TEXTS[6].replace(" ", "")
    inputs = as_in_the_page.tokenizer(TEXTS[6], return_tensors="pt")
    with torch.inference_mode():
        hidden = as_in_the_page.model(**inputs, output_hidden_states=True).hidden_states
    moved = 1 - cosine(hidden[-1][0], hidden[-2][0])
    for (_, title), theirs in zip(titles, moved[1:-1], strict=True):
        assert float(title.split(": ")[1]) == pytest.approx(theirs, abs=0.02)


# ---------------------------------------------------------------- tables, pasted and chosen

LETTERS = [
    ["1838-01-12", "Agnes", "Dear Sam, I long for your letters; the road is bad, they say."],
    ["1838-01-22", "Agnes", 'My son, the grey silk will do;\nI said "turn it", and we did.'],
    ["1838-02-01", "Job", ""],
    ["1838-02-03", "Job", "Hens, eggs, lime: all of it, all day."],
    ["1838-02-09", "Sam", "No news; none looked for, none wanted, none sent."],
    ["1838-02-11", "Sam", "The ford is shut"],
]
NAMES = ["date", "from", "letter"]


def as_table(rows, delimiter):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(rows)
    return file.getvalue()


def paste(page, content):
    page.evaluate(
        """async (content) => {
          const field = document.querySelector("drift-explorer")
            .shadowRoot.querySelector("textarea");
          field.focus();
          field.select();
          field.dispatchEvent(new ClipboardEvent("paste", { bubbles: true }));
          document.execCommand("insertText", false, content);
        }""",
        content,
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_pasted_table_is_read_as_the_file_is(delimiter, drift):
    table = as_table([NAMES, *LETTERS], delimiter)
    said = drift.locator("drift-explorer .own-texts .status")
    texts = [letter for _, _, letter in LETTERS if letter]
    paste(drift, table)
    expect(said).to_contain_text("Read as a table: 5 texts, of its column “letter”.")
    expect(said).to_contain_text("Left out, without a text: 1 row.")
    expect(drift.get_by_label("Your texts")).to_have_value("\n\n".join(texts))
    drift.locator("#own-file").set_input_files(
        {"name": "t.csv", "mimeType": "text/csv", "buffer": table.encode()}
    )
    expect(said).to_contain_text("t.csv: 5 texts")
    expect(drift.get_by_label("Your texts")).to_have_value("\n\n".join(texts))


def test_a_table_that_is_typed_is_read_as_one_when_it_is_computed(drift):
    rows = [["id", "words"], *([i, text] for i, text in enumerate(TEXTS))]
    drift.get_by_label("Your texts").fill(as_table(rows, ","))
    drift.locator("drift-explorer .own-texts .action").click()
    said = drift.locator("drift-explorer .own-texts .status", has_text="7 texts in")
    said.wait_for(timeout=60_000)
    assert shown(drift, "e.poems.map(({ text }) => text)") == TEXTS


@pytest.mark.parametrize("lines", [
    "Hope, the thing\nThe soul, her own\nI'm nobody, you\nA bell, a dog",
    "Because I could not stop for Death,\nHe kindly stopped,\nThe carriage,\nAnd so on,",
    "a,b\n\nc,d\n\ne,f\n\ng,h",
    "text\nOne, two.\nThree, four.\nFive, six.",
])  # fmt: skip
def test_lines_with_commas_stay_lines(lines, drift):
    paste(drift, lines)
    drift.wait_for_timeout(100)
    assert drift.get_by_label("Your texts").input_value() == lines
    assert drift.locator("drift-explorer .own-texts .status").text_content() == ""


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_file_without_names_of_columns_keeps_all_its_texts(delimiter, encoding, drift):
    rows = [[date, name, f"Grüße, {text}"] for date, name, text in LETTERS]
    drift.locator("#own-file").set_input_files(
        {
            "name": "t.csv", "mimeType": "text/csv",
            "buffer": as_table(rows, delimiter).encode(encoding),
        }
    )  # fmt: skip
    said = drift.locator("drift-explorer .own-texts .status")
    expect(said).to_contain_text("t.csv: 6 texts. The first row names no columns")
    texts = drift.get_by_label("Your texts").input_value().split("\n\n")
    assert texts == [text.strip() for _, _, text in rows]


def test_texts_whose_commas_are_not_in_quotation_marks(drift):
    content = "id,words\n1,short\n2,one, two\n3,three\n4,four\n5,five\n6,six\n"
    drift.locator("#own-file").set_input_files(
        {"name": "t.csv", "mimeType": "text/csv", "buffer": content.encode()}
    )
    said = drift.locator("drift-explorer .own-texts .status")
    expect(said).to_contain_text("cells beyond the 2 of most rows: in 1 row ")


@pytest.mark.parametrize(("name", "content"), [
    ("letter.docx", b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xdf\xa4"),
    ("letter.txt", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("paper.pdf", b"%PDF-1.7\nOne\n\nTwo\n\nThree\n\nFour"),
    ("letter.rtf", b"{\\rtf1\\ansi One}"),
    ("table.csv.gz", b"\x1f\x8b\x08\0\0"),
    ("picture.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0"),
    ("stray.txt", "Grüße, ein Null\0byte in UTF-8".encode()),
])  # fmt: skip
def test_a_file_that_is_no_text_is_refused_in_one_sentence(name, content, drift):
    drift.get_by_label("Your texts").fill("What stood there")
    drift.locator("#own-file").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": content}
    )
    said = drift.locator("drift-explorer .own-texts .status")
    expect(said).to_have_text(f"{name} {NO_TEXT}.")
    expect(drift.get_by_label("Your texts")).to_have_value("What stood there")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Grüße aus Rom\n\nund Paris", "床前明月光，疑是\n\n地上霜"])
def test_a_file_in_utf_16_needs_no_mark(text, encoding, drift):
    drift.locator("#own-file").set_input_files(
        {"name": "t.txt", "mimeType": "text/plain", "buffer": text.encode(encoding)}
    )
    said = drift.locator("drift-explorer .own-texts .status")
    expect(said).to_have_text("t.txt: 2 texts.")
    expect(drift.get_by_label("Your texts")).to_have_value(text)


def test_too_few_texts_load_no_model(drift, explorer_site):
    explorer_site.server.asked.clear()
    said = drift.locator("drift-explorer .own-texts .status")
    few = [("", "0 texts"), ("One\n\ntwo", "2 texts"), ("id,text\n1,One.", "1 text")]
    for content, n in few:
        drift.get_by_label("Your texts").fill(content)
        drift.locator("drift-explorer .own-texts .action").click()
        expect(said).to_contain_text(f"{n}: at least 4 are needed.")
    assert explorer_site.server.asked == []
    assert "Load the model" in drift.locator("drift-explorer .own-texts .action").text_content()


# ---------------------------------------------------------------- the way there


@pytest.fixture
def chapter(explorer_site):
    """A page with the explorer where the chapter has it: behind the place that is linked."""
    source = (ROOT / "chapters" / "context.md").read_text("utf-8")
    before, _, behind = source.partition("<drift-explorer")
    assert before.count("(own-texts-in-the-page)=") == 1
    assert "(own-texts-in-the-page)=" not in behind
    far = "<div style='height: 4000px'></div>"
    body = f"{far}<p id='own-texts-in-the-page'>Look.</p>{place('drift-explorer')}{far}"
    return explorer_site.page("chapter.html", "<a href='#own-texts-in-the-page'>go</a>" + body)


@pytest.mark.parametrize("way", ["another page", "this page", "a file"])
def test_a_link_to_ones_own_texts_leads_to_their_box(way, chapter, context, from_file):
    address = from_file if way == "a file" else chapter
    fragment = "" if way == "this page" else "#own-texts-in-the-page"
    page = open_page(context, address + fragment, "drift-explorer")
    if way == "this page":
        assert page.locator("drift-explorer .own-texts").get_attribute("open") is None
        page.get_by_text("go", exact=True).click()
    details = page.locator("drift-explorer .own-texts")
    expect(details.locator(".note").first).to_be_in_viewport()
    if way != "a file":  # where there is a model
        expect(page.get_by_label("Your texts")).to_be_in_viewport()
    page.wait_for_timeout(200)
    assert 0 <= details.bounding_box()["y"] < 300
    assert page.problems == []


# ---------------------------------------------------------------- long titles


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_long_titles_run_over_nothing(width, drift):
    drift.set_viewport_size({"width": width, "height": 900})
    compute(drift, [f"{text} And over and over the same words, {text}" for text in TEXTS])
    drift.locator("drift-explorer summary", has_text="as a table").scroll_into_view_if_needed()
    boxes = shown(drift, """["ol.nearest", "details", ".provenance"].map((x) => {
      const { top, bottom } = e.shadowRoot.querySelector(x).getBoundingClientRect();
      return [top, bottom];
    })""")  # fmt: skip
    for (_, bottom), (top, _) in itertools.pairwise(boxes):
        assert bottom <= top
    buttons = drift.locator("drift-explorer .nearest button")
    assert buttons.count() == 5
    for button in buttons.all():
        assert button.evaluate("(b) => b.clientHeight") < 45  # one line
        assert button.get_attribute("title") == button.text_content()


@pytest.mark.parametrize("delimiter", ["^", "\\", "]", "-", "d", "s", "t", "é", "0", "$", "."])
def test_a_file_may_tell_any_delimiter_in_its_first_line(delimiter, drift):
    rows = [["id", "words"], *([str(i), f"{i} Nodding Wunder, tot"] for i in range(1, 6))]
    content = f"sep={delimiter}\n{as_table(rows, delimiter)}"
    drift.locator("#own-file").set_input_files(
        {"name": "t.csv", "mimeType": "text/csv", "buffer": content.encode()}
    )
    said = drift.locator("drift-explorer .own-texts .status")
    expect(said).to_contain_text("t.csv: 5 texts, of its column “words”.")
    texts = drift.get_by_label("Your texts").input_value().split("\n\n")
    assert texts == [text for _, text in rows[1:]]
