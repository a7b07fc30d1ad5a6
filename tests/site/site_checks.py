"""What every page of the site must be: each check raises AssertionError where it is not."""

import re
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlparse

import axe_playwright_python
from playwright.sync_api import Browser, Page

from tools.chapters import sphinx_settings
from tools.desk import ROOT
from tools.site.serve import SITE

# Old addresses lead to pages, and are none: see test_moved.
MOVED = {f"{name}.html" for name in sphinx_settings(ROOT)["moved_pages"]}
PAGES = sorted({page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html")} - MOVED)
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
# All rules but those of level AAA, which ask for 7 to 1 where AA asks for 4.5
LEFT_OUT = ["color-contrast-enhanced"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # axe's rules that look at them
# Names of what nobody can see, written where words should be
EMPTY_WORDS = {"image", "figure", "picture", "plot", "graph", "svg", "png", "untitled", "alt"}


@contextmanager
def opened(browser: Browser, url: str, width: int, theme: str, **options):
    """Open a page as a new reader would, with every other host blocked; give it to the checks.

    The page's ``complaints`` list what its console and its requests reported.
    """
    height = 780 if width < 700 else 900
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, **options
    )
    page = context.new_page()
    page.complaints = complaints = []
    host = urlparse(url).netloc

    def guard(route) -> None:
        target = urlparse(route.request.url)
        if target.netloc == host or target.scheme in ("data", "blob"):
            route.fallback()
        else:
            complaints.append(f"request to another host: {route.request.url}")
            route.abort()

    def hear(message) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"console {message.type}: {message.text}")

    def answered(response) -> None:
        if response.status >= 400 and response.url != url:
            complaints.append(f"status {response.status}: {response.url}")

    def failed(request) -> None:
        if request.failure != "net::ERR_ABORTED":  # which leaving a page does, and no fault
            complaints.append(f"failed: {request.url}")

    context.route("**/*", guard)
    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(f"script error: {error}"))
    page.on("requestfailed", failed)
    page.on("response", answered)
    page.goto(url, wait_until="load")
    page.wait_for_function("document.fonts.ready.then(() => true)")
    if options.get("java_script_enabled", True):  # only then its script has set up everything
        page.wait_for_function("document.documentElement.classList.contains('ready')")
    try:
        yield page
    finally:
        context.close()


def check_quiet(page: Page) -> None:
    """No message in the console, no failed request, none to another host."""
    assert not page.complaints, "\n".join(page.complaints)


def check_width(page: Page) -> None:
    """The page does not scroll sideways; what is wide scrolls within itself."""
    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, f"the page is {wide} px wider than the window"


def check_whole(page: Page) -> None:
    """Nothing waits to be scrolled to before it is drawn: a picture shows the whole page."""
    waiting = page.evaluate(
        "Array.from(document.querySelectorAll('article *')).filter(e => e.checkVisibility()"
        " && !e.checkVisibility({contentVisibilityAuto: true}))"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert not waiting, f"{len(waiting)} elements are not drawn: {waiting[:3]}"


def check_axe(page: Page, colours_alone: bool = False) -> None:
    """axe finds no violation of any of its rules, WCAG's and others; neither do we in code.

    In another theme the page is the same but for its colours, whose rules are then enough.

    A chapter's code has thousands of coloured pieces in a handful of colours, and axe is slow
    with many: :func:`check_code_contrast` looks at them first, and axe at code without colours.
    """
    check_code_contrast(page)
    page.evaluate(
        "document.querySelectorAll('pre').forEach(e => e.textContent = e.textContent)"
    )
    # What is focused may lie over its neighbours, as the link past the navigation does.
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.evaluate(AXE)
    found = page.evaluate(
        "([only, left_out]) => axe.run(document, {resultTypes: ['violations'], rules: "
        "Object.fromEntries(axe.getRules().map(({ruleId}) => [ruleId, {enabled: only ?"
        " only.includes(ruleId) : !left_out.includes(ruleId)}]))})"
        ".then(r => r.violations.flatMap(v => v.nodes.map("
        "n => `${v.id}: ${n.html.slice(0, 200)} ${n.failureSummary}`)))",
        [OF_COLOURS if colours_alone else None, LEFT_OUT],
    )
    assert not found, "\n".join(found)


def check_code_contrast(page: Page) -> None:
    """Every colour of code has a contrast of 4.5 to 1 with the ground it stands on."""
    pairs = page.evaluate(
        """() => {
          const ground = (e) => {
            while (e) {
              const color = getComputedStyle(e).backgroundColor;
              if (color !== 'rgba(0, 0, 0, 0)') return color;
              e = e.parentElement;
            }
            return 'rgb(255, 255, 255)';
          };
          const pairs = {};
          for (const e of document.querySelectorAll('pre span')) {
            pairs[`${getComputedStyle(e).color} on ${ground(e)}`] = e.textContent;
          }
          return pairs;
        }"""
    )
    for pair, example in pairs.items():
        inks = [[int(n) for n in re.findall(r"\d+", color)[:3]] for color in pair.split(" on ")]
        dark, light = sorted(relative_luminance(ink) for ink in inks)
        contrast = (light + 0.05) / (dark + 0.05)
        assert contrast >= 4.5, f"{pair}: {contrast:.2f} to 1, in code, as in {example!r}"


def relative_luminance(rgb: list[int]) -> float:
    """Return the relative luminance of a colour, as WCAG 2.1 defines it."""
    shares = [value / 255 for value in rgb]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def check_headings(page: Page) -> None:
    """There is one h1, it comes first, and no level is skipped on the way down."""
    levels = page.evaluate(
        "Array.from(document.querySelectorAll('h1, h2, h3, h4, h5, h6'))"
        ".filter(h => h.checkVisibility()).map(h => Number(h.tagName[1]))"
    )
    assert levels[:1] == [1], f"the first heading is not an h1: {levels}"
    assert levels.count(1) == 1, f"more than one h1: {levels}"
    skipped = [(a, b) for a, b in pairwise(levels) if b > a + 1]
    assert not skipped, f"levels skipped: {skipped} in {levels}"


def check_alternatives(page: Page) -> None:
    """Every image says in words what it shows; what is decoration is marked as such."""
    images = page.evaluate(
        "Array.from(document.querySelectorAll('img, svg:not(svg svg), canvas, [role=img]'))"
        ".filter(e => !e.closest('[aria-hidden=true]')).map(e => [e.tagName,"
        " e.getAttribute('role'), e.getAttribute('alt') ?? e.getAttribute('aria-label') ?? '',"
        " Boolean(e.closest('figure'))])"
    )
    for tag, role, text, is_figure in images:
        words = [word for word in text.lower().split() if word.strip(".") not in EMPTY_WORDS]
        wanted = 8 if is_figure else 2
        assert len(words) >= wanted, (
            f"<{tag.lower()}> has the alt text {text!r}: say what it shows"
        )
        assert tag != "svg" or role == "img", f"svg without role=img: {text!r}"


def check_keyboard(page: Page) -> None:
    """The Tab key reaches every link, button and field, each is seen to have the focus."""
    wanted = page.evaluate(
        """() => {
          const selector = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
          const all = Array.from(document.querySelectorAll(selector));
          const usable = all.filter((e) => e.checkVisibility() && !e.disabled);
          usable.forEach((e, i) => e.dataset.stop = String(i));
          document.activeElement.blur();
          return usable.map((e) => e.outerHTML.slice(0, 120));
        }"""
    )
    # how the focus shows is looked up when it arrives: one message for many key presses
    page.evaluate(
        """() => {
          window.stops = [];
          document.addEventListener('focusin', ({ target }) => {
            const style = getComputedStyle(target);
            const drawn = style.outlineStyle !== 'none';
            const outline = drawn && parseFloat(style.outlineWidth) >= 2;
            const seen = outline || style.boxShadow !== 'none' || Boolean(target.shadowRoot);
            window.stops.push([Number(target.dataset.stop ?? -1), seen]);
          });
        }"""
    )
    stops = []
    for _ in range(3 * len(wanted) // 20 + 2):
        for _ in range(20):
            page.keyboard.press("Tab")
        stops = page.evaluate("window.stops")
        if [stop for stop, _ in stops].count(stops[0][0]) > 1:
            break  # once around
    reached = {stop for stop, _ in stops}
    unseen = [wanted[stop] for stop, seen in stops if stop >= 0 and not seen]
    # an explorer that starts meanwhile takes the place of its figure, links included
    there = page.evaluate(
        "Array.from(document.querySelectorAll('[data-stop]'))"
        ".filter((e) => e.checkVisibility()).map((e) => Number(e.dataset.stop))"
    )
    lost = [wanted[i] for i in there if i not in reached]
    assert not lost, "not reached by Tab:\n" + "\n".join(lost)
    assert not unseen, "focus not visible on:\n" + "\n".join(unseen)


CHECKS = {
    "quiet": check_quiet,
    "width": check_width,
    "whole": check_whole,
    "axe": check_axe,
    "headings": check_headings,
    "alternatives": check_alternatives,
    "keyboard": check_keyboard,
}
