"""What holds in every engine: Chromium, Firefox and WebKit.

The pages are the site's own, each with a listener at its head that keeps what goes wrong.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import missing
from engines import (
    FIREFOX,
    WEBKIT_DRIVER,
    Engine,
    chromium_engine,
    firefox_engine,
    mini_browser,
    webkit_engine,
)
from site_checks import PAGES

from tools.explorers.publish import link_or_copy
from tools.site.serve import served

NUMBERS = itertools.count()
CHAPTERS = [name for name in PAGES if name.startswith("chapters/")]
LISTENER = """<script>
  window.complaints = [];
  addEventListener("error", (event) => {
    const from = event.target.src ?? event.target.href;
    complaints.push(event.message ?? `did not come: ${from}`);
  }, true);
  addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
  for (const kind of ["error", "warn"]) {
    const say = console[kind];
    console[kind] = (...words) => {
      complaints.push(words.join(" "));
      say.apply(console, words);
    };
  }
</script>"""
# Elements that hold their place in the text, one after the other
SCROLL_UP = """
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const frames = async () => [await frame(), await frame()];
  const inText = "article :is(p, pre, h2, h3, li, figure)";
  const blocks = Array.from(document.querySelectorAll(inText));
  await new Promise((done) => setTimeout(done, 400));
  scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
  await frames();
  let worst = { jump: 0, at: "" };
  while (scrollY > 0) {
    const middle = innerHeight / 2;
    const isAbove = (block) => block.getBoundingClientRect().top < middle;
    const eye = blocks.findLast((block) => block.checkVisibility() && isAbove(block));
    if (!eye) break;
    const [before, step] = [eye.getBoundingClientRect().top, Math.min(600, scrollY)];
    scrollBy({ top: -step, behavior: "instant" });
    await frames();
    const jump = Math.abs(eye.getBoundingClientRect().top - before - step);
    if (jump > worst.jump) worst = { jump, at: eye.textContent.slice(0, 60) };
  }
  return worst;
"""
# What a reader without scripts must not meet: a text that something else lies on
COVERED = """
  const covered = [];
  for (let top = 0; top < 3 * innerHeight; top += innerHeight / 2) {
    scrollTo({ top, behavior: "instant" });
    await new Promise((done) => requestAnimationFrame(done));
    for (const part of document.querySelectorAll("article :is(h1, p)")) {
      const { left, top, width, height } = part.getBoundingClientRect();
      const [x, y] = [left + Math.min(width, innerWidth) / 2, top + height / 2];
      if (y < 80 || y > innerHeight - 5) continue; // under the masthead, or out of sight
      const there = document.elementFromPoint(x, y);
      if (!there?.closest("article")) covered.push(part.textContent.slice(0, 40));
    }
  }
  return [covered, document.querySelector("article h1").getBoundingClientRect().height > 0];
"""
BLANK = """
  await new Promise((done) => setTimeout(done, 300));
  return Array.from(document.querySelectorAll("article .cell, article > section > *"))
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height === 0)
    .filter((e) => e.textContent.trim() && getComputedStyle(e).position !== "absolute")
    .map((e) => e.outerHTML.slice(0, 80));
"""


def make(name: str, request) -> Iterator[Engine]:
    if name == "Chromium":
        return chromium_engine(request.getfixturevalue("chromium"))
    if name == "Firefox":
        if not FIREFOX:
            missing("there is no Firefox", "Install it: apt-get install firefox-esr")
        return firefox_engine()
    if not (WEBKIT_DRIVER and mini_browser()):
        missing("there is no WebKit", "Install it: apt-get install webkit2gtk-driver xvfb")
    return webkit_engine()


@pytest.fixture(scope="module", params=["Chromium", "Firefox", "WebKit"])
def engine(request) -> Iterator[Engine]:
    with make(request.param, request) as engine:
        yield engine


def copy_with(site_folder: Path, folder: Path, edit: Callable[[str], str]) -> Path:
    """Copy a site, its pages edited; what is not a page is only linked to."""
    folder.mkdir()
    for path in site_folder.rglob("*"):
        target = folder / path.relative_to(site_folder)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        elif path.suffix == ".html":
            target.write_text(edit(path.read_text("utf-8")), "utf-8")
        else:
            link_or_copy(path, target)  # a server follows no link out of its folder
    return folder


@pytest.fixture(scope="module")
def listening(site_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "site"
    return copy_with(site_folder, folder, lambda p: p.replace("<head>", "<head>" + LISTENER, 1))


@pytest.fixture(scope="module")
def address(listening) -> Iterator[str]:
    with served(listening) as url:
        yield url


def until(condition: str) -> str:
    """Return a script that waits, for ten seconds at most, and says whether something is so."""
    return (
        f"for (let i = 0; i < 200 && !({condition}); i++)"
        f" await new Promise((done) => setTimeout(done, 50)); return Boolean({condition});"
    )


def edited(listening: Path, name: str, edit: Callable[[str], str]) -> str:
    """Put an edited copy of a page beside it; return its name, which no browser has seen."""
    page = listening / name
    other = page.with_name(f"edited-{next(NUMBERS)}-{page.name}")
    text = page.read_text("utf-8")
    assert edit(text) != text, "nothing was edited"
    other.write_text(edit(text), "utf-8")
    return other.relative_to(listening).as_posix()


def without_scripts(page: str) -> str:
    """Take every script out of a page, as if the reader allowed none."""
    return re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)


# ------------------------------------------------------------------ every page


@pytest.fixture(scope="module")
def visits(engine, address) -> dict[str, list]:
    """Open every page, once its explorers have started: title, explorers, complaints."""
    engine.resize(1280, 900)
    found = {}
    for name in PAGES:
        engine.open(address + name)
        found[name] = engine.run(
            """const all = Array.from(document.querySelectorAll("article *"))
                 .filter((e) => e.localName.endsWith("-explorer"));
               for (let i = 0; i < 200 && all.some((e) => !e.getAttribute("state")); i++)
                 await new Promise((done) => setTimeout(done, 50));
               await new Promise((done) => setTimeout(done, 150));
               return [document.querySelector("article h1").textContent,
                 all.map((e) => [e.localName, e.getAttribute("state")]), complaints];"""
        )
    return found


def test_pages_load_without_a_complaint(visits):
    for name, (title, _, complaints) in visits.items():
        assert complaints == [], name
        assert len(title) > 2, name


def test_a_complaint_is_heard(engine, address, listening):
    page = edited(
        listening, "glossary.html", lambda p: p.replace("<main", "<script>gone()</script><main")
    )
    engine.open(address + page)
    assert "gone" in str(engine.run("return complaints"))


def test_explorers_are_alive(visits):
    for name, (_, explorers, _) in visits.items():
        assert [e for e, state in explorers if state != "ready"] == [], name
    assert any(explorers for _, explorers, _ in visits.values())


# ------------------------------------------------------------------ reading


@pytest.mark.parametrize("name", CHAPTERS or ["index.html"])
def test_text_does_not_jump(engine, address, name):
    engine.resize(400, 780)
    engine.open(address + name)
    worst = engine.run(SCROLL_UP)
    assert worst["jump"] < 4, worst


def test_a_jump_is_seen(engine, address, listening):
    late = (
        "<style>html { overflow-anchor: none } .cell.cell.cell { content-visibility: auto;"
        " contain-intrinsic-size: auto 20px }</style></head>"
    )
    page = edited(listening, "chapters/tokens.html", lambda p: p.replace("</head>", late))
    engine.resize(400, 780)
    engine.open(address + page)
    assert engine.run(SCROLL_UP)["jump"] >= 4


def test_phone_without_scripts(engine, address, listening):
    page = edited(listening, "chapters/tokens.html", without_scripts)
    engine.resize(400, 780)
    engine.open(address + page)
    assert engine.run(COVERED) == [[], True]
    assert engine.run(BLANK) == []
    menu_opens_and_closes(engine)


def test_what_lies_on_the_text_is_seen(engine, address, listening):
    lid = "<style>.side { position: fixed; inset: 0 }</style></head>"
    page = edited(
        listening, "chapters/tokens.html", lambda p: without_scripts(p).replace("</head>", lid)
    )
    engine.resize(400, 780)
    engine.open(address + page)
    assert engine.run(COVERED)[0]


@pytest.mark.parametrize("script", ["gone.js", "data:text/javascript,nowhere()"])
def test_without_the_sites_own_script(engine, address, listening, script):
    page = edited(
        listening,
        "chapters/context.html",
        lambda p: re.sub(r'src="[^"]*/site\.js[^"]*"', f'src="{script}"', p),
    )
    engine.resize(400, 780)
    engine.open(address + page)
    assert engine.run("return document.documentElement.classList.contains('js')") is False
    assert engine.run(COVERED) == [[], True]
    assert engine.run(BLANK) == []
    assert (
        engine.run("return document.querySelector('.theme-button').checkVisibility()") is False
    )
    menu_opens_and_closes(engine)


def menu_opens_and_closes(engine: Engine) -> None:
    click = "document.querySelector('.menu-button').click();"
    seen = "return document.querySelector('#contents a').checkVisibility();"
    assert engine.run(seen) is False
    assert engine.run(click + seen) is True
    assert engine.run(click + seen) is False


# ------------------------------------------------------------------ searching


@pytest.mark.parametrize("from_files", [False, True])
def test_search_arrives_and_marks(engine, address, listening, from_files):
    start = listening.as_uri() + "/" if from_files else address
    engine.resize(1280, 900)
    engine.open(start + "search.html?q=Sevres")
    assert engine.run(until("document.querySelector('#search-results a')"))
    link = engine.run("return document.querySelector('#search-results a').href")
    assert "poems.html" in link
    engine.open(link)
    in_sight = "((top) => top > 0 && top < innerHeight)(range.getBoundingClientRect().top)"
    found = f"[...(CSS.highlights.get('found') ?? [])].slice(0, 1).some((range) => {in_sight})"
    assert engine.run(until(found))
    assert engine.run("return [...CSS.highlights.get('found')][0].toString()") == "Sevres"
    assert engine.run("return complaints") == []


def test_pages_as_files(engine, listening):
    engine.resize(400, 780)
    engine.open((listening / "chapters" / "context.html").as_uri())
    assert engine.run(until("document.documentElement.classList.contains('ready')"))
    assert engine.run(until(
        "[...document.querySelectorAll('article *')].every((e) =>"
        " !e.localName.endsWith('-explorer') || e.getAttribute('state'))"
    ))  # fmt: skip
    assert engine.run(BLANK) == []
    states = engine.run(
        """return Array.from(document.querySelectorAll("article *"))
             .filter((e) => e.localName.endsWith("-explorer"))
             .map((e) => [e.getAttribute("state"), e.textContent.includes("server")]);"""
    )
    assert all(state == "ready" or says_why for state, says_why in states), states
    menu_opens_and_closes(engine)
