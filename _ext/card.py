"""Sphinx extension: the picture that other sites show beside a link to this book.

Such pictures must be PNG and have a full address, so there is one only where ``html: baseurl:``
in ``_config.yml`` says where the book is published.
"""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from sphinx.application import Sphinx

PAPER, INK, MUTED = "#fffdf8", "#211f1b", "#5f594f"
# The mark of the book, as in _static/logo.svg: a sheet, and three more below it
SHEETS = ["#a5cd90", "#3f8f8b", "#24748a", "#2c3172"]


def draw_card(title: str, subtitle: str, target: Path) -> None:
    """Draw the book's mark and its name, 1200 by 630 pixels."""
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 12), ylim=(0, 6.3))
    axes.axis("off")
    for depth, color in reversed(list(enumerate(SHEETS))):
        x, y = 9.3, 4.1 - 0.62 * depth
        corners = [(x, y + 0.95), (x + 1.9, y), (x, y - 0.95), (x - 1.9, y)]
        axes.add_patch(Polygon(corners, facecolor=color, edgecolor=PAPER, linewidth=9))
    axes.text(0.9, 3.35, title, fontsize=58, family="STIXGeneral", color=INK)
    axes.text(
        0.95, 2.35, subtitle, fontsize=23, family="STIXGeneral", style="italic", color=MUTED
    )
    figure.savefig(target, metadata={"Software": None})


def write_card(app: Sphinx, exception: Exception | None) -> None:
    """Put the card into the built site."""
    if exception is None and app.builder.format == "html" and app.config.html_baseurl:
        subtitle = "Inside a language model, with poems"
        draw_card(app.config.html_title, subtitle, Path(app.outdir) / "_static" / "card.png")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("build-finished", write_card)
