"""The 59 poems.

Chapter: *Large Language Models: An Introduction*, "What this chapter does".
"""

import html
import re
from importlib.resources import files

import pandas as pd
from IPython.display import HTML


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
        Lines, with an empty line between stanzas.
    title, source : str
        Above and below the poem.
    name : str
        Makes each line an address to link to: ``name-line-3``.
    """
    text = re.sub(r'(?<![^\s—(])"', "“", text).replace('"', "”")  # as in print
    text = text.replace("'", "’")
    number, stanzas = 0, []
    for stanza in text.strip().split("\n\n"):
        lines = []
        for line in stanza.strip().split("\n"):
            number += 1
            address = f' id="{html.escape(name)}-line-{number}"' if name else ""
            shown = f' data-line="{number}"' if number % 5 == 0 else ""
            # the line break is for places that have no style sheet
            lines.append(f'<span class="line"{address}{shown}>{html.escape(line)}<br></span>')
        stanzas.append('<p class="stanza">' + "\n".join(lines) + "</p>")
    title = f'<p class="poem-title">{html.escape(title)}</p>\n' if title else ""
    source = f"\n<figcaption>{html.escape(source)}</figcaption>" if source else ""
    return f'<figure class="poem">\n{title}{"".join(stanzas)}{source}\n</figure>'


def show_poem(poem: pd.Series) -> HTML:
    """Show a row of :func:`load_poems` as a poem; make it the last line of a cell."""
    source = f"Emily Dickinson, Poems, series {poem['series']} ({poem['year']})"
    return HTML(poem_html(poem["text"], poem["title"], source, name=f"poem-{poem['number']}"))
