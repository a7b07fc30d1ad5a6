"""The first page's explorer: what it draws is what the model makes of the line."""

import numpy as np
import pytest
import torch
from site_checks import opened

from layerwise.similarity import cosine

OWN = "A narrow fellow in the grass"
OTHER = "A narrow fellow in the snow"


def moved(encoder, line: str) -> np.ndarray:
    """Return each token's distance from layer 0, (n_layers + 1, n_tokens), by PyTorch."""
    inputs = encoder.tokenizer(line, return_tensors="pt")
    with torch.inference_mode():
        layers = encoder.model(**inputs, output_hidden_states=True).hidden_states
    hidden_states = torch.cat(layers).numpy()
    return 1 - cosine(hidden_states, hidden_states[:1])


def shown(page) -> np.ndarray:
    """Return the numbers that the explorer shows."""
    rows = page.locator("layers-explorer").evaluate(
        "e => Array.from(e.shadowRoot.querySelectorAll('tbody tr'), "
        "row => Array.from(row.querySelectorAll('td'), cell => Number(cell.textContent)))"
    )
    return np.array(rows)


@pytest.fixture
def page(chromium, site):
    with opened(chromium, site + "index.html", 360, "light") as page:
        page.wait_for_selector("layers-explorer[state=ready]")
        yield page


def test_the_line_that_stands_there(page, encoder):
    line = page.locator("layers-explorer select").evaluate("e => e.selectedOptions[0].text")
    numbers = shown(page)
    assert np.abs(numbers - moved(encoder, line)).max() < 0.005 + 1 / 255
    assert np.abs(numbers[1:] - moved(encoder, line)[:-1]).max() > 0.05  # not a layer off
    assert not page.complaints


def test_a_line_of_the_readers_own(page, encoder):
    explorer = page.locator("layers-explorer")
    explorer.get_by_role("textbox").fill(OWN)
    explorer.get_by_role("button").first.click()
    page.wait_for_function(
        "document.querySelector('layers-explorer').shadowRoot.querySelector('.status')"
        ".textContent.includes('tokens in')"
    )
    numbers = shown(page)
    rounded = 0.03  # the page's weights are rounded
    assert np.abs(numbers - moved(encoder, OWN)).max() < rounded
    assert np.abs(numbers - moved(encoder, OTHER)).max() > rounded
    assert OWN in explorer.locator("section figcaption").text_content()
    assert "line=A+narrow" in explorer.get_by_role("link").get_attribute("href")
    assert not page.complaints


def test_without_scripts_the_figure_is_there(chromium, site):
    with opened(chromium, site + "index.html", 360, "light", java_script_enabled=False) as page:
        assert page.locator("layers-explorer figure svg").is_visible()
