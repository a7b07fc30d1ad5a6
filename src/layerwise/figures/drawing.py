"""Boxes, bars, words and arrows, as SVG in the page's own colours.

At most 340 wide, so that a phone shows every word. What is marked has a thick border and a
tint, what is still to come a dashed one: no difference is in colour alone.
"""

import html
from collections.abc import Sequence

import numpy as np
from IPython.display import HTML

WIDTH = 340
# Where no style sheet of ours is, as in a notebook: a mid-tone that shows on white and black.
ACCENT = "var(--lw-accent, #2484a5)"
BORDERS = {
    "plain": "stroke: currentColor; stroke-width: 1; fill: none",
    "now": f"stroke: {ACCENT}; stroke-width: 3; fill: {ACCENT}; fill-opacity: 0.16",
    "later": "stroke: currentColor; stroke-width: 1; stroke-dasharray: 3 3; fill: none",
}


def diagram(shapes: Sequence[str], height: float, alt: str, caption: str) -> HTML:
    """Put shapes into one SVG image with its alt text and caption."""
    return HTML(
        f'<figure class="layerwise-figure" style="max-width: {WIDTH * 1.25:.0f}px">\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{html.escape(alt)}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}" width="100%" font-family="sans-serif" '
        'font-size="13" style="font-variant-numeric: lining-nums">\n'
        + "\n".join(shapes)
        + f"\n</svg><figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def text(x: float, y: float, words: str, anchor: str = "middle", size: float = 13) -> str:
    """Write words whose middle, start or end is at x, on the line y."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" '
        f'fill="currentColor">{html.escape(words)}</text>'
    )


def box(
    x: float, y: float, width: float, height: float, words: str = "", border: str = "plain"
) -> str:
    """Draw a box with words in its middle."""
    rectangle = (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4" '
        f'style="{BORDERS[border]}"/>'
    )
    return rectangle + (text(x + width / 2, y + height / 2 + 4.5, words) if words else "")


def bar(x: float, y: float, width: float, height: float) -> str:
    """Draw a bar as long as a number is large."""
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} style="fill: {ACCENT}"/>'


def arrow(*points: tuple[float, float]) -> str:
    """Draw a line through points, with a head at the last."""
    (x0, y0), (x, y) = points[-2:]
    length = np.hypot(x - x0, y - y0)
    dx, dy = 6 * (x - x0) / length, 6 * (y - y0) / length  # the head is as long as this
    side = dy / 1.5, -dx / 1.5  # across the line
    head = [(x - dx - side[0], y - dy - side[1]), (x, y), (x - dx + side[0], y - dy + side[1])]
    lines = [" ".join(f"{x:.1f},{y:.1f}" for x, y in line) for line in (points, head)]
    style = 'style="fill: none; stroke: currentColor"'
    return "".join(f'<polyline points="{line}" {style}/>' for line in lines)
