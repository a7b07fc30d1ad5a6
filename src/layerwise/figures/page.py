"""The book's figures: one style, one palette, and alt text with every figure.

A figure leaves here as SVG inside the page, drawn in the page's own colours, so that it is
legible on light and dark paper and as small or large as the reader's screen.
"""

import base64
import hashlib
import html
import io
import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from PIL import Image

from layerwise.checks import to_array

# The palette. In the page, each of the first two becomes a colour of the page's own.
INK = "#010203"  # text and lines
SHADE = "#010204"  # values and depth: 0 is paper, and more is more of this colour
PAGE_COLORS = {
    INK: "currentColor",
    "#000000": "currentColor",  # matplotlib's own, where a chapter draws by itself
    SHADE: "var(--lw-accent, currentColor)",
}
SHADES = ListedColormap([(*to_rgb(SHADE), alpha) for alpha in np.linspace(0, 1, 256)])
BEHIND_TEXT = 0.4  # as much of SHADE as the page's text can still be read on
# Mid-tones: each stands out from white and from near-black paper (WCAG 1.4.11, 3:1).
COMPARISON_COLORS = [
    "#1f7fc0", "#c2602a", "#24896c", "#b05c9a", "#857428", "#7a6fd0", "#c0506a",
]  # fmt: skip

LABEL_SIZE = 11  # points
ROOM = "\u2002"
STYLE: dict = {
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.prop_cycle": plt.cycler(color=COMPARISON_COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": LABEL_SIZE,
    "ytick.labelsize": LABEL_SIZE,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign is a dollar sign
    "legend.frameon": False,
    "legend.fontsize": LABEL_SIZE,
    "font.size": LABEL_SIZE,
    "grid.color": "#8c8c8c",
    "grid.alpha": 0.35,
    "svg.fonttype": "none",
    "svg.hashsalt": "layerwise",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the book's style, whatever the reader's is, and leave the reader's as it was."""
    with plt.style.context(["default", STYLE]):
        yield


def new_figure(width: float = 4.8, height: float = 3.2) -> tuple[Figure, Axes]:
    """Start a figure in the book's style; show it with :func:`show`.

    Parameters
    ----------
    width, height : float
        In inches; wider than 5 is hard to read on a phone.
    """
    with style():
        return plt.subplots(figsize=(width, height))


def shares(values) -> np.ndarray:
    """Return how much of SHADE each value gets: 0 is paper, the largest value is 1.

    Raises
    ------
    ValueError
        If a value is negative or not a number: it has no shade.
    """
    numbers = to_array(values)
    wrong = numbers[~(np.isfinite(numbers) & (numbers >= -1e-6))]  # below 0 by rounding only
    if wrong.size:
        raise ValueError(
            f"{wrong[0]:g} has no shade, nor have {wrong.size - 1} others of the values: "
            "0 is paper and darker is more. Draw a distance or a share, which begin at 0"
        )
    return np.clip(numbers, 0, None) / (numbers.max(initial=0) or 1.0)


def drawn(token: str) -> str:
    """Return a token as it can stand in a page: line ends and other controls are signs."""
    signs = {code: chr(0x2400 + code) for code in range(32)} | {0x7F: "␡", ord("\n"): "↵"}
    token = re.sub(r"[\xa0\u2000-\u200a\u2028\u2029\u3000]", " ", token.translate(signs))
    return re.sub("[\ud800-\udfff\ufffe\uffff]", "\ufffd", token)


def label_tokens(axis: XAxis | YAxis, tokens: Sequence[str], places, room: float) -> None:
    """Write a token at each place, in a room of so many inches, or nothing if it is too small.

    Long tokens are shortened in the middle. Where they do not fit beside each other, they
    stand on end, their last letter at the axis.
    """
    size = min(LABEL_SIZE, 0.9 * 72 * room / max(len(tokens), 1))
    if size < 5:
        axis.set_ticks([])
        return
    # matplotlib's font lacks the wide characters, and reserves too little room for them: each
    # brings a space along, which does not stay.
    labels = [ROOM * n_wide(token) + short(token) for token in tokens]
    axis.set_ticks(places, labels, size=size)
    if isinstance(axis, XAxis) and max(map(label_width, tokens)) > room / len(tokens):
        plt.setp(
            axis.get_ticklabels(), rotation=90, ha="right", va="center",
            rotation_mode="anchor",
        )  # fmt: skip


def short(token: str) -> str:
    """Return a token as it stands beside a figure: at most 16 characters."""
    token = drawn(token)
    return token if len(token) <= 16 else f"{token[:10]}…{token[-5:]}"


def label_width(token: str) -> float:
    """Return about how wide a token is drawn, in inches."""
    return (0.62 * len(short(token)) + 0.48 * n_wide(token) + 0.5) * LABEL_SIZE / 72


def n_wide(token: str) -> int:
    """Return how many characters of a token, as it is drawn, are as wide as they are high."""
    return sum(unicodedata.east_asian_width(character) in "WF" for character in short(token))


def figure_to_svg(figure: Figure, name: str) -> str:
    """Draw a figure as an SVG element that can stand in a page beside others.

    The same figure gives the same characters; ids carry the name and a digest of the drawing,
    so that two figures in one page do not share any; colours become the page's.
    """
    buffer = io.StringIO()
    with style(), warnings.catch_warnings():
        # the browser has fonts for what matplotlib's does not have
        warnings.filterwarnings("ignore", r"Glyph .* missing from")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(ROOM, "")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # A style sheet inside an SVG holds for the whole page: set the same on this figure only.
    svg = re.sub(r"<defs>\s*<style[^>]*>\*\{(.*?)\}</style>\s*</defs>", "", svg)
    on_figure = (
        "stroke-linejoin: round; stroke-linecap: butt; fill: currentColor; "
        "font-variant-numeric: lining-nums tabular-nums"
    )
    svg = svg.replace("<svg ", f'<svg style="{on_figure}" ', 1)
    svg = re.sub(r"<image ([^>]*)/>", _shade_through_image, svg)
    name += hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub("<[^>]*>", lambda tag: _for_the_page(tag[0], name), svg)  # text stays
    return re.sub(r"\n\s*", "\n", svg)


def _for_the_page(tag: str, name: str) -> str:
    """Put a name before the ids in a tag, and the page's colours in place of ours."""
    tag = re.sub(r'\b(id="|xlink:href="#)', rf"\g<1>{name}-", tag)
    tag = tag.replace("url(#", f"url(#{name}-")
    for color, of_the_page in PAGE_COLORS.items():
        tag = tag.replace(color, of_the_page)
    return tag


def _shade_through_image(image: re.Match) -> str:
    """Make an image, whose colours are fixed, a mask of the same place full of SHADE."""
    attributes = dict(re.findall(r'([\w:]+)="([^"]*)"', image[1]))
    png = Image.open(io.BytesIO(base64.b64decode(attributes["xlink:href"].split(",")[1])))
    alpha = png.getchannel("A")
    white = io.BytesIO()
    Image.merge("LA", [Image.new("L", png.size, 255), alpha]).save(white, format="png")
    data = base64.b64encode(white.getvalue()).decode()
    place = " ".join(f'{k}="{attributes[k]}"' for k in ("x", "y", "width", "height")
                     if k in attributes)  # fmt: skip
    mask = attributes["id"]
    return (
        f'<mask id="{mask}"><image {place} preserveAspectRatio="none" '
        f'style="image-rendering: pixelated" xlink:href="data:image/png;base64,{data}"/></mask>'
        f'<rect {place} transform="{attributes["transform"]}" mask="url(#{mask})" '
        f'style="fill: {SHADE}"/>'
    )


def svg_with_alt(figure: Figure, name: str, alt: str) -> str:
    """Return a figure as :func:`figure_to_svg` does, with alt text."""
    label = html.escape(drawn(alt))
    svg = figure_to_svg(figure, name)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


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
    with style():  # what a chapter wrote in the reader's; ticks are made only now
        for text in figure.findobj(Text):
            text.set(parse_math=False, usetex=False)
        for legend in figure.findobj(Legend):
            legend.set_frame_on(False)
            plt.setp(legend.get_texts(), color=INK)
    name = "f" + hashlib.sha256((alt + caption).encode()).hexdigest()[:8]
    svg = svg_with_alt(figure, name, alt)
    plt.close(figure)
    width_px = figure.get_figwidth() * 96
    caption = f"<figcaption>{html.escape(drawn(caption))}</figcaption>" if caption else ""
    return HTML(
        f'<figure class="layerwise-figure" style="max-width: {width_px:.0f}px">\n'
        f"{svg}{caption}</figure>"
    )
