"""Pages with an explorer, and what a reader does on them."""

import pytest

NAMES = [
    *"token attention drift ngram surprisal senses learning order".split(),
    *"lens patching layers".split(),
]
ELEMENTS = [f"{name}-explorer" for name in NAMES]
FALLBACK = "This figure shows the line as it was when the page was built."
CUT = "A line of poetry, cut up: "


def place(element, attributes="", module="/explorer"):
    return (
        f"<p>{CUT}</p><{element} {attributes}><p class='fallback'>{FALLBACK}</p></{element}>"
        f"<p id='below'>And the text goes on.</p>"
        f"<script type='module' src='{module}/{element}.mjs'></script>"
    )


def open_page(context, address, element, state="ready"):
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(address)
    page.wait_for_selector(f"{element}[state='{state}']")
    return page


def opened(element):
    """Make the fixture of a page with an explorer, on which nothing goes wrong."""

    @pytest.fixture
    def page(context, pages):
        page = open_page(context, pages[element], element)
        yield page
        assert page.problems == []

    return page


def set_slider(page, name, value):
    page.locator(f"#{name}").evaluate(
        "(slider, value) => { slider.value = value;"
        " slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        value,
    )


def status(page):
    return page.locator("attention-explorer .status")


def text_of(page, selector):
    return page.locator(f"attention-explorer {selector}").text_content()


def run_own(page, line):
    page.locator("#own").fill(line)
    page.locator("#own").press("Enter")


def caption(page):
    return page.locator("attention-explorer figcaption").text_content()
