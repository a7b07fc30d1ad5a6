"""The 59 poems, and how verse is set."""

import html
import re
import textwrap
from importlib.resources import files

import pandas as pd
from IPython.display import HTML

from layerwise.texts.cleaning import INVISIBLE_SIGNS, line_feeds

# Of a line: nothing to see. What stands before its end is looked for at its beginning only,
# or the time would grow with the square of a line's blanks.
EDGES = re.compile(rf"(?<![\s{INVISIBLE_SIGNS}])[\s{INVISIBLE_SIGNS}]+$|^[{INVISIBLE_SIGNS}]+")


def load_poems() -> pd.DataFrame:
    """Load the poems by Emily Dickinson that the book reads.

    Returns
    -------
    DataFrame
        One row a poem, ordered by ``number``, with columns ``title``, ``first_line``,
        ``text``, ``theme``, ``series``, ``year`` and ``number``. The datasheet is
        ``data/README.md``.
    """
    with files("layerwise.datasets").joinpath("dickinson_poems.parquet").open("rb") as file:
        return pd.read_parquet(file)


def poem_html(text: str, title: str = "", source: str = "", name: str = "") -> str:
    """Set verse as HTML: stanzas, lines, and a number at every fifth line.

    Parameters
    ----------
    text : str
        Lines, with empty lines between stanzas. Line ends are those of any system, and what
        a line is indented by, more than the others, is kept.
    title, source : str
        Above and below the poem.
    name : str
        Makes each line an address to link to: ``name-line-3``.

    Raises
    ------
    ValueError
        If there is no line.
    """
    number, stanzas = 0, []
    for stanza in split_stanzas(text):
        lines = []
        for line in stanza:
            number += 1
            address = f' id="{html.escape(name)}-line-{number}"' if name else ""
            shown = f' data-line="{number}"' if number % 5 == 0 else ""
            # the line break is for places that have no style sheet
            lines.append(f'<span class="line"{address}{shown}>{as_printed(line)}<br></span>')
        stanzas.append('<p class="stanza">' + "\n".join(lines) + "</p>")
    title, source = (html.escape(words.strip()) for words in (title, source))
    title = f'<p class="poem-title">{title}</p>\n' if title else ""
    source = f"\n<figcaption>{source}</figcaption>" if source else ""
    return f'<figure class="poem">\n{title}{"".join(stanzas)}{source}\n</figure>'


def split_stanzas(text: str) -> list[list[str]]:
    """Split verse into stanzas of lines, without blank lines and the margin all lines share.

    A line of invisible signs only is blank; at the ends of others they are left out too.
    """
    lines = [EDGES.sub("", line).expandtabs(4) for line in line_feeds(text).split("\n")]
    text = textwrap.dedent("\n".join(lines)).strip("\n")
    if not text:
        raise ValueError("a poem without a line cannot be set: the text is empty")
    return [stanza.split("\n") for stanza in re.split("\n{2,}", text)]


def as_printed(line: str) -> str:
    """Return a line as HTML, with the quotation marks and apostrophes of print."""
    line = re.sub(r'(?<![^\s—(\[‘“])"(?=\S)', "“", line).replace('"', "”")
    line = line.replace("'", "’")
    verse = line.lstrip(" ")
    return "\xa0" * (len(line) - len(verse)) + html.escape(verse)  # HTML drops plain spaces


def show_poem(poem: pd.Series) -> HTML:
    """Show a row of :func:`load_poems` as a poem; make it the last line of a cell."""
    source = f"Emily Dickinson, Poems, series {poem['series']} ({poem['year']})"
    return HTML(poem_html(poem["text"], poem["title"], source, name=f"poem-{poem['number']}"))
