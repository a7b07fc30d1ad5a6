"""<surprisal-explorer>: it shows what was read, and all of it can be reached."""

import numpy as np
import pytest
from explorer_pages import open_page, opened

from layerwise.surprisal import kept_readings
from layerwise.texts.poems import load_poems

pytest_plugins = ("explorer_fixtures",)

ELEMENT = "surprisal-explorer"


strips = opened(ELEMENT)


@pytest.fixture(scope="module")
def readings():
    return kept_readings().set_index(["number", "condition"])


def shades(page):
    """Return how dark each token is, from 0 to 1."""
    return page.locator(f"{ELEMENT} .strip button").evaluate_all(
        "(tokens) => tokens.map((token) => Number(token.style.getPropertyValue('--share')))"
    )


@pytest.mark.parametrize("title", ["Hope", "The Snake"])
def test_every_token_is_as_dark_as_it_was_surprising(strips, readings, title):
    poem = load_poems().set_index("title").loc[title]
    strips.get_by_label("Poem", exact=True).select_option(title)
    both = [readings.loc[(poem["number"], condition), "bits"].to_numpy()
            for condition in ("printed", "own title")]  # fmt: skip
    for bits, checked in zip(both, (False, True), strict=True):
        strips.get_by_label("its title stands before it").set_checked(checked)
        np.testing.assert_allclose(shades(strips), bits / max(map(max, both)), atol=0.01)
    text = strips.locator(f"{ELEMENT} .strip").text_content()
    assert text.replace("\u00a0", " ").replace("↵", "\n") == poem["text"]
    a_character = [bits.sum() / len(poem["text"]) for bits in both]
    said = strips.locator(f"{ELEMENT} .status").text_content()
    assert f"{a_character[0]:.2f} bits a character alone, {a_character[1]:.2f} after" in said


def test_a_token_tells_its_rank_and_what_was_more_probable(strips, readings):
    read = readings.loc[(8, "printed")]
    i = int(np.argmax(read["rank"].to_numpy() > 100))
    strips.locator(f"{ELEMENT} .strip button").nth(i).click()
    said = strips.locator(f"{ELEMENT} .next").text_content()
    assert f"{read['rank'].iloc[i]:,} tokens were held to be more probable" in said
    assert f"{read['bits'].iloc[i]:.1f} bits" in said
    shown = strips.locator(f"{ELEMENT} .others li").all_text_contents()
    assert len(shown) == 3
    assert [piece.strip() for piece in read["alternatives"].iloc[i] if piece.strip()] == [
        piece for piece in shown if piece not in ("line end", "space")
    ]
    strips.keyboard.press("ArrowRight")
    assert strips.locator(f"{ELEMENT} button[aria-pressed=true]").count() == 1
    assert f"{read['bits'].iloc[i + 1]:.1f} bits" in strips.locator(
        f"{ELEMENT} .next"
    ).text_content()


def test_a_link_leads_to_what_is_shown(strips, context, pages):
    strips.get_by_label("Poem", exact=True).select_option("A Word")
    strips.get_by_label("its title stands before it").check()
    strips.locator(f"{ELEMENT} .strip button").nth(4).click()
    address = strips.locator(f"{ELEMENT} .provenance a").evaluate("(link) => link.href")
    other = open_page(context, address, ELEMENT)
    shown = [page.locator(f"{ELEMENT} .next").text_content() for page in (strips, other)]
    assert shown[0] == shown[1]
    assert other.get_by_label("its title stands before it").is_checked()
    other.evaluate("location.hash = '#surprisal-explorer:poem=-7&token=900&title=x'")
    other.wait_for_function("document.querySelector('surprisal-explorer').chosen === 0")
    assert other.problems == []
