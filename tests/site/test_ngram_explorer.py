"""<ngram-explorer>: its numbers are those of the package, and all of it can be reached."""

from itertools import pairwise

import numpy as np
import pytest
from explorer_pages import open_page, opened, set_slider
from playwright.sync_api import expect

from layerwise.by_hand.ngrams import (
    contexts_of,
    count_ngrams,
    interpolate,
    join_words,
    kneser_ney,
    kneser_ney_tables,
    split_words,
)

pytest_plugins = ("explorer_fixtures",)

ELEMENT = "ngram-explorer"
TEXT = "ÜBER the sea, the SEA — don’t\r\nsay the sea's 3\u2028and the\n\n snow_ball! sea 雪"


counting = opened(ELEMENT)


def ask(page, code, argument=None):
    return page.evaluate(
        f"async (argument) => {{ const n = await import('/explorer/ngrams.mjs'); {code} }}",
        argument,
    )


def shown_rows(page):
    """Return what the table shows: token, count, probability; and its caption."""
    rows = page.locator(f"{ELEMENT} tbody").evaluate(
        """(body) => [...body.rows].map(({ cells }) => [
          cells[0].textContent.replace(" ← drawn", ""),
          Number(cells[1].textContent), Number(cells[2].textContent)])"""
    )
    return rows, page.locator(f"{ELEMENT} caption").text_content()


# ---------------------------------------------------------------- the same numbers


def test_tokens_are_those_of_the_package(counting, explorer_poems):
    for text in [TEXT, *explorer_poems["text"]]:
        words = split_words(text)
        assert ask(counting, "return n.splitWords(argument)", text) == words
        letters = ask(counting, "return n.splitCharacters(argument)", text)
        assert "".join(letters) == join_words(words)


@pytest.mark.parametrize("smoothing", ["interpolation", "Kneser-Ney"])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("amount", [0, 0.35, 1])
def test_probabilities_are_those_of_the_package(
    smoothing, n, amount, counting, explorer_poems
):
    texts = [split_words(text) for text in explorer_poems["text"]]
    contexts = [contexts_of(texts[2], n)[i] for i in (0, 3, 6)] + [("never", "the")[-(n - 1) :]]
    contexts = [context for context in contexts if len(context) == n - 1]
    found = ask(
        counting,
        """const model = n.makeModel(...argument.model);
        return argument.contexts.map((context) =>
          [model.vocabulary, [...n.probabilities(model, context)]]);""",
        {"model": [texts, n, smoothing, amount], "contexts": contexts},
    )
    kinds = {token for text in texts for token in text}
    if smoothing == "Kneser-Ney":
        discounts = [(amount,) * 3] * n
        model = kneser_ney(kneser_ney_tables(texts, n), len(kinds), discounts)
    else:
        tables = [count_ngrams(texts, k) for k in range(1, n + 1)]
        model = interpolate(tables, len(kinds), [1 - amount] * n)
    for context, (vocabulary, shares) in zip(contexts, found, strict=True):
        assert set(vocabulary) == kinds
        ours = [model(token, tuple(context)) for token in vocabulary]
        np.testing.assert_allclose(shares, ours, rtol=1e-9, atol=1e-12)


def test_the_table_shows_them(counting, explorer_poems):
    texts = [split_words(text) for text in explorer_poems["text"]]
    counting.locator("#text").fill(explorer_poems["text"][2])
    counting.locator("#others").check()
    counting.locator("#smoothing").select_option("Kneser-Ney")
    set_slider(counting, "amount", 0.6)
    rows, caption = shown_rows(counting)
    texts = [texts[2], *texts]
    model = kneser_ney(kneser_ney_tables(texts, 2), len({t for x in texts for t in x}),
                       [(0.6,) * 3] * 2)  # fmt: skip
    counts = count_ngrams(texts, 2)
    assert caption == "after line end"
    for token, times, share in rows:
        token = "\n" if token == "line end" else token
        assert times == counts[("\n",)][token]
        assert share == pytest.approx(model(token, ("\n",)), abs=6e-4)
    shares = [share for *_, share in rows[:-1]]  # the last may be the one that was drawn
    assert shares == sorted(shares, reverse=True)


def test_temperature_is_a_power(counting):
    shares = ask(counting, "return n.heat([0.1, 0.6, 0.3, 0], argument)", 0.5)
    assert shares == pytest.approx([0.01 / 0.46, 0.36 / 0.46, 0.09 / 0.46, 0])


def test_what_is_drawn_is_as_frequent_as_its_probability(counting):
    drawn = ask(
        counting,
        """const model = n.makeModel([["a", "b", "b", "b"]], 1, "interpolation", 0);
        return n.write(model, [], 4000, 1, n.randomNumbers(7));""",
    )
    assert drawn.count("b") / 4000 == pytest.approx(0.75, abs=0.03)


def test_what_is_underlined_is_copied(counting):
    set_slider(counting, "order", 3)
    tokens, copied = counting.locator(ELEMENT).evaluate(
        """(e) => [e.all.slice(e.tokens.length),
          e.buttons.map((button) => button.classList.contains("copied"))]"""
    )
    poem = split_words(counting.locator("#text").input_value())
    runs = {tuple(poem[i : i + 6]) for i in range(len(poem) - 5)}
    expected = [
        any(tuple(tokens[j : j + 6]) in runs for j in range(i - 5, i + 1) if j >= 0)
        for i in range(len(tokens))
    ]
    assert copied == expected
    assert 0 < sum(copied)
    share = round(100 * sum(copied) / len(copied))
    said = counting.locator(f"{ELEMENT} .status").text_content()
    assert f"{share}% of what was written" in said
    underlined = counting.locator(f"{ELEMENT} .written button.copied").first
    plain = counting.locator(f"{ELEMENT} .written button:not(.copied)")
    line = "(button) => getComputedStyle(button).boxShadow"
    assert "inset" in underlined.evaluate(line)
    assert plain.count() == 0 or plain.first.evaluate(line) == "none"


# ---------------------------------------------------------------- the reader's own


def test_an_own_poem_is_counted_and_written_on(counting):
    counting.locator("#text").fill("rain on the roof\nrain on the road\n")
    assert counting.locator("#poem").input_value() == "-1"
    said = counting.locator(f"{ELEMENT} .counted").text_content()
    assert said.startswith("10 tokens, 6 different; 7 different runs of 2")
    written = counting.locator(ELEMENT).evaluate("(e) => e.all.slice(e.tokens.length)")
    poem = "\n rain on the roof \n rain on the road \n".split(" ")
    assert set(pairwise(["\n", *written])) <= set(pairwise(poem))  # counts alone
    counting.get_by_role("button", name="Write on", exact=True).click()
    after = counting.locator(ELEMENT).evaluate("(e) => e.all.slice(e.tokens.length)")
    assert after != written


def test_of_a_text_without_a_run_it_is_not_said_that_nothing_is_copied(counting):
    said = counting.locator(f"{ELEMENT} .status")
    counting.locator("#text").fill("rain on the roof")
    expect(said).to_have_text("Too short to say what is copied: it has no run of 6.")
    counting.locator("#text").fill("rain on the roof and rain")
    expect(said).to_contain_text("of what was written is copied")
    counting.locator("#unit").select_option("letters")
    counting.locator("#text").fill("rain on the roof")
    expect(said).to_have_text("Too short to say what is copied: it has no run of 24.")
    counting.locator("#others").check()
    expect(said).to_contain_text("of what was written is copied")


@pytest.mark.parametrize("text", ["", "—!—\n\n", "\u00a0"])
def test_nothing_to_count_is_said(text, counting):
    counting.locator("#text").fill(text)
    said = counting.locator(f"{ELEMENT} .counted").text_content()
    assert "nothing to count" in said
    counting.get_by_role("button", name="Write on", exact=True).click()
    counting.locator("#text").fill("one")
    assert shown_rows(counting)[0]


def test_all_settings_work_on_a_long_text(counting):
    counting.locator("#text").fill("snow and ice and wind " * 700)
    for unit in ["letters", "words"]:
        counting.locator("#unit").select_option(unit)
        for n in [1, 5]:
            set_slider(counting, "order", n)
            rows, _ = shown_rows(counting)
            assert sum(share for *_, share in rows) <= 1.01
    milliseconds = counting.locator(ELEMENT).evaluate(
        "(e) => { const now = performance.now(); e.show(); return performance.now() - now; }"
    )
    assert milliseconds < 1500


def test_a_link_brings_back_what_was_written(counting, context, pages):
    counting.locator("#text").fill("snow & ice = 100%\nsnow & rain?\n" * 3)
    set_slider(counting, "order", 3)
    set_slider(counting, "amount", 0.25)
    set_slider(counting, "temperature", 1.5)
    counting.get_by_role("button", name="Write on", exact=True).click()
    link = counting.locator(f"{ELEMENT} a").get_attribute("href")
    other = open_page(context, pages[ELEMENT] + link, ELEMENT)
    written = "(e) => [e.all, e.text.value, e.seed]"
    ours, theirs = (page.locator(ELEMENT).evaluate(written) for page in (counting, other))
    assert ours == theirs
    other.evaluate("location.hash = '#ngram-explorer:n=99&amount=no&seed=-4&place=900&unit=x'")
    other.wait_for_function("document.querySelector('ngram-explorer').seed === 1")
    assert other.locator("#order").input_value() == "5"  # as far as the slider goes
    assert other.problems == []


# ---------------------------------------------------------------- everyone can use it


def test_keyboard_alone_is_enough(counting):
    counting.locator("#text").focus()
    stops = []
    while len(stops) < 14 and "WRITTEN" not in stops:
        counting.keyboard.press("Tab")
        stops.append(counting.evaluate(
            "(() => { const at = document.activeElement.shadowRoot?.activeElement;"
            " return at?.closest('.written') ? 'WRITTEN' : at?.id || at?.textContent || '' })()"
        ))  # fmt: skip
    named = ["poem", "unit", "order", "smoothing", "amount", "temperature", "others"]
    assert [stop for stop in stops if stop in named] == named
    assert stops[-1] == "WRITTEN"
    counting.keyboard.press("ArrowRight")
    counting.keyboard.press("ArrowRight")
    pressed = counting.locator(f"{ELEMENT} .written button[aria-pressed='true']")
    assert pressed.count() == 1
    place = counting.locator(ELEMENT).evaluate(
        "(e) => e.buttons.findIndex((button) => button.getAttribute('aria-pressed') === 'true')"
    )
    assert place == 2
    drawn = counting.locator(f"{ELEMENT} .drawn th").text_content()
    token = counting.locator(ELEMENT).evaluate("(e) => e.all[e.tokens.length + 2]")
    assert drawn == f"{'line end' if token == chr(10) else token} ← drawn"


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_while_settings_change_even_in_wide_fonts(width, explorer_browser, pages):
    context = explorer_browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(pages[ELEMENT])
    page.wait_for_selector(f"{ELEMENT}[state='ready']")
    page.add_style_tag(content=f"{ELEMENT} {{ --lw-serif: 'DejaVu Sans Mono'; "
                               "letter-spacing: 0.08em }")  # fmt: skip
    page.wait_for_timeout(100)
    seen = set()
    for unit in ["words", "letters"]:
        page.locator("#unit").select_option(unit)
        for n, amount in [(1, 0), (2, 0.5), (5, 1)]:
            set_slider(page, "order", n)
            set_slider(page, "amount", amount)
            seen.add(round(page.locator("#below").bounding_box()["y"]))
    page.locator("#text").fill("")
    seen.add(round(page.locator("#below").bounding_box()["y"]))
    assert len(seen) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_what_can_be_pressed_is_large_enough(counting):
    boxes = counting.locator(f"{ELEMENT} .written button").evaluate_all(
        "(all) => all.map((b) => b.getBoundingClientRect()).map((r) => [r.width, r.height])"
    )
    assert min(height for _, height in boxes) >= 24  # WCAG 2.5.8, but for words in a text


def test_the_data_are_small(explorer_assets):
    assert (explorer_assets / "poems.json").stat().st_size < 100_000
    assert '{"poems":[{"title":' in (explorer_assets / "poems.json").read_text("utf-8")
