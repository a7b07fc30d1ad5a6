"""The book's figures: one style, layers on one colour scale, and alt text with every figure.

A figure leaves here as SVG inside the page, drawn in the page's own text colour, so that it is
legible on light and dark paper and as small or large as the reader's screen.
"""

import hashlib
import html
import io
import re

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Text and lines are drawn in this colour, which then becomes the page's text colour.
INK = "#010203"
STYLE: dict = {
    "figure.figsize": (4.8, 3.2),
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "font.size": 11,
    "grid.color": "#8c8c8c",
    "grid.alpha": 0.35,
    "svg.fonttype": "none",
    "svg.hashsalt": "layerwise",
}


def new_figure(width: float = 4.8, height: float = 3.2, **subplots) -> tuple[Figure, Axes]:
    """Start a figure in the book's style; show it with :func:`show`.

    Parameters
    ----------
    width, height : float
        In inches; wider than 5 is hard to read on a phone.
    **subplots
        Passed on to ``plt.subplots``.
    """
    plt.rcParams.update(STYLE)
    return plt.subplots(figsize=(width, height), **subplots)


def figure_to_svg(figure: Figure, name: str) -> str:
    """Draw a figure as an SVG element that can stand in a page beside others.

    The same figure gives the same characters; ids carry the name and a digest of the drawing,
    so that two figures in one page do not share any; ink becomes ``currentColor``.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # A style sheet inside an SVG holds for the whole page: set the same on this figure only.
    svg = re.sub(r"<defs>\s*<style[^>]*>\*\{(.*?)\}</style>\s*</defs>", "", svg)
    svg = svg.replace("<svg ", '<svg style="stroke-linejoin: round; stroke-linecap: butt" ', 1)
    name += hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r'\b(id="|xlink:href="#)', rf"\1{name}-", svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace(INK, "currentColor")
    return re.sub(r"\n\s*", "\n", svg)


def show(figure: Figure, alt: str, caption: str = "") -> HTML:
    """Turn a figure into an output with alt text; make it the last line of a cell.

    Parameters
    ----------
    figure : Figure
    alt : str
        What the figure shows, in words and computed numbers, for who cannot see it.
    caption : str
        A line below the figure.

    Raises
    ------
    ValueError
        If the alt text is too short to say what the figure shows.
    """
    if len(alt.split()) < 8:
        raise ValueError(f"alt text {alt!r} is too short: say what the figure shows")
    name = "f" + hashlib.sha256((alt + caption).encode()).hexdigest()[:8]
    svg = figure_to_svg(figure, name)
    plt.close(figure)
    alt = html.escape(alt)
    width_pt = figure.get_figwidth() * 72
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)
    caption = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return HTML(
        f'<figure class="layerwise-figure" style="max-width: {width_pt * 4 / 3:.0f}px">\n'
        f"{svg}{caption}</figure>"
    )
