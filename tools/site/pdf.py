"""Print the built book into one PDF, through the browser: ``nox -s pdf``.

    python3 -m nox -s pdf -- [--solutions open|left-out] [--to FILE]

All pages become one long page, whose links lead within it, and Chromium prints that: with an
outline, page numbers, and tags for screen readers.
"""

import argparse
import re
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urldefrag, urljoin

from playwright.sync_api import sync_playwright

from tools.desk import BuildError, draft_of, run_command, say
from tools.site.browser import BROWSER_OPTIONS, CHROMIUM
from tools.site.serve import SITE, check_site, served

NOT_PRINTED = {"search.html", "404.html", "genindex.html"}
FRAME = """\
<!DOCTYPE html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="_static/style.css">
<style>
  @page {{ size: A4; @bottom-center {{ content: counter(page); font: 9pt sans-serif; }} }}
  .title-page {{ height: 22cm; display: grid; align-content: center; }}
  article {{ break-before: page; }}
</style>
</head>
<body>
<div class="title-page"><h1>{title}</h1>{colophon}</div>
{articles}
</body>
</html>
"""


def inside(begin: str, end: str, html: str) -> str:
    """Return what stands between two marks of a page."""
    return html.partition(begin)[2].partition(end)[0]


def pages_in_order(site: Path) -> list[str]:
    """Return the pages of a built site in the order of its contents."""
    index = (site / "index.html").read_text("utf-8")
    contents = inside('<nav aria-label="Book">', "</nav>", index)
    links = [urldefrag(link)[0] for link in re.findall(r'href="([^"#]+\.html)', contents)]
    return [name for name in dict.fromkeys(["index.html", *links]) if name not in NOT_PRINTED]


def place(page: str, fragment: str = "") -> str:
    """Return the one id that a place has in a document of all pages."""
    return f"{PurePosixPath(page).with_suffix('').as_posix().replace('/', '-')}--{fragment}"


def move_links(article: str, page: str, pages: list[str]) -> str:
    """Make a page's ids its own, and let links between pages lead there."""

    def own(match: re.Match) -> str:
        names = " ".join(place(page, name) for name in match.group(2).split())
        return f'{match.group(1)}="{names}"'

    def link(match: re.Match) -> str:
        address = match.group(1).replace("&amp;", "&")
        if re.match(r"\w+:", address):
            return match.group()
        path, fragment = urldefrag(urljoin(f"/{page}", address))
        target = path.removeprefix("/") or page
        if target not in pages:
            return ""  # a notebook, say: text, but no link, on paper
        return f'href="#{place(target, fragment)}"'

    article = re.sub(r'\b(id|for|aria-(?:describedby|labelledby))="([^"]*)"', own, article)
    article = re.sub(r"url\(#([^)]*)\)", lambda m: f"url(#{place(page, m[1])})", article)
    article = re.sub(
        r'\bxlink:href="#([^"]*)"', lambda m: f'xlink:href="#{place(page, m[1])}"', article
    )
    return re.sub(r'(?<![:\w])href="([^"]*)"', link, article)


def one_document(site: Path, solutions: str) -> str:
    """Put all pages of a built site into one document."""
    pages, articles = pages_in_order(site), []
    for page in pages:
        html = (site / page).read_text("utf-8")
        article = html.partition("<article>")[2].rpartition("</article>")[0]
        # an explorer's own content is what stands there without scripts
        article = re.sub(r"</?[a-z]+-explorer\b[^>]*>", "", article)
        if solutions == "open":
            article = re.sub(r'<details(?= class="[^"]*\bsolution)', "<details open", article)
        articles.append(
            f'<article id="{place(page)}">{move_links(article, page, pages)}</article>'
        )
    index = (site / "index.html").read_text("utf-8")
    title = inside("<title>", "</title>", index)
    colophon = inside('<footer class="colophon">', "</footer>", index)
    colophon = re.sub(r"<a\b[^>]*download[^>]*>.*?</a>", "", colophon)
    return FRAME.format(title=title, colophon=colophon, articles="\n".join(articles))


def make_pdf(site: Path, target: Path, solutions: str = "open") -> None:
    """Print a built site, its solutions ``"open"``, or ``"left-out"`` to work with."""
    check_site(site)
    if not Path(CHROMIUM).is_file():
        raise BuildError(f"no {CHROMIUM}: install it, apt-get install chromium")
    target.parent.mkdir(parents=True, exist_ok=True)
    document = one_document(site, solutions)
    with served(site) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        page = browser.new_page()
        # served beside the pages' own files, without a trace in the site
        page.route(
            f"{url}print.html",
            lambda route: route.fulfill(body=document, content_type="text/html; charset=utf-8"),
        )
        page.goto(f"{url}print.html", wait_until="load")
        page.wait_for_function("document.fonts.ready.then(() => true)")
        with draft_of(target) as draft:
            page.pdf(
                path=draft, prefer_css_page_size=True, print_background=True, outline=True,
                tagged=True,
            )  # fmt: skip
        browser.close()


def main(arguments: list[str] | None = None) -> int:
    """Print _build/html, and say where the PDF is; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=SITE)
    parser.add_argument("--to", type=Path, default=SITE.parent / "layer-by-layer.pdf")
    parser.add_argument("--solutions", choices=["open", "left-out"], default="open")
    options = parser.parse_args(arguments)

    def run() -> None:
        make_pdf(options.site, options.to, options.solutions)
        say(f"{options.to}: {options.to.stat().st_size / 1e6:.1f} MB")

    return run_command(run)


if __name__ == "__main__":
    sys.exit(main())
