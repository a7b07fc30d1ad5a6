"""A reader's own texts in the drift explorer: computed in the page, and nowhere else."""

import csv
import io

import numpy as np
import pytest
import torch
from explorer_pages import open_page
from playwright.sync_api import expect

from layerwise.embedding import embed_layers
from layerwise.models import Encoder
from layerwise.rotation import rotation_baseline
from layerwise.similarity import cosine, drift_table
from layerwise.texts.poems import load_poems
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
    expect(said).to_have_text("t.csv: 6 texts.")
    drift.locator("drift-explorer .own-texts .action").click()
    drift.locator("drift-explorer .own-texts .status", has_text="in this page").wait_for()
    assert "4 texts in" in said.text_content()
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
