"""Sphinx extension: an old address leads to the page that has taken its place.

The setting ``moved_pages`` in ``_config.yml`` is the table, old name to new. What stands at an
old address is no page of the book: neither search nor sitemap knows of it.
"""

from html import escape
from pathlib import Path
from posixpath import dirname, relpath

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

# A refresh would lose the #place within the page, so a script goes first where there is one.
REDIRECT = """\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>This page has moved</title>
  <link rel="canonical" href="{canonical}">
  <script>location.replace("{target}" + location.search + location.hash);</script>
  <noscript><meta http-equiv="refresh" content="0; url={target}"></noscript>
</head>
<body>
  <h1>This page has moved</h1>
  <p>It is now at <a href="{target}">{target}</a>.</p>
</body>
</html>
"""


def redirect_page(old: str, new: str, base_url: str) -> str:
    """Write what stands at an old address; its links hold in a folder, on a host, as a file."""
    target = escape(relpath(f"{new}.html", dirname(old) or "."))
    canonical = f"{base_url.rstrip('/')}/{escape(new)}.html" if base_url else target
    return REDIRECT.format(target=target, canonical=canonical)


def write_redirects(app: Sphinx, exception: Exception | None) -> None:
    """Answer every old address."""
    if exception is not None or app.builder.format != "html":
        return
    for old, new in app.config.moved_pages.items():
        if new not in app.env.found_docs:
            raise SphinxError(f"moved_pages leads from {old} to {new}, which is no page")
        if old in app.env.found_docs:
            raise SphinxError(f"moved_pages leads from {old}, which is still a page")
        place = Path(app.outdir) / f"{old}.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(redirect_page(old, new, app.config.html_baseurl), "utf-8")


def setup(app: Sphinx) -> None:
    """Register the setting ``moved_pages``."""
    app.add_config_value("moved_pages", {}, "html")
    app.connect("build-finished", write_redirects)
