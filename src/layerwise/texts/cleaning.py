"""Take out of a cell what no author wrote: markup, broken characters, invisible ones."""

import html
import math
import re
from collections.abc import Callable

import numpy as np
import pandas as pd

# What programs write for "nothing". "none" and "na" are words, and stay.
MISSING = {"", "nan", "NaN", "NA", "N/A", "#N/A", "n/a", "null", "NULL", "None", "<NA>"}
TAGS = (
    "a abbr article b big blockquote body br center cite code dd del div dl dt em figure font "
    "footer h1 h2 h3 h4 h5 h6 head header hr html i img ins li link main mark meta ol p pre q "
    "s section small span strike strong sub sup table tbody td th thead title tr u ul"
).split()
# An attribute has a value: “if a<b and c>d” has no tag.
ATTRIBUTE = r"""\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+)"""
TAG = re.compile(rf"</?(?:{'|'.join(TAGS)})(?:{ATTRIBUTE})*\s*/?>", re.IGNORECASE)
BREAK = re.compile(r"<(?:br|hr|/p|/div|/li|/h[1-6]|/tr)\s*/?>", re.IGNORECASE)
SCRIPT = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d{0,2});", re.IGNORECASE)
# Control characters but tab and line feed; marks of order and joins of width zero that no
# script needs. (Two that scripts and emoji do need, U+200C and U+200D, stay.)
INVISIBLE_SIGNS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\xad"
INVISIBLE = re.compile(f"[{INVISIBLE_SIGNS}]")
LINE_BREAK = re.compile("\r\n?|[\n\v\f\x1c-\x1e\x85\u2028\u2029]")  # where str.splitlines cuts
ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
SURROGATE = re.compile("[\ud800-\udfff]")
BEYOND_ASCII = re.compile("[^\x00-\x7f]{2,}")


def strip_markup(text: str) -> str:
    """Turn HTML's breaks into line ends and its entities into characters; drop other tags."""
    text = TAG.sub("", BREAK.sub("\n", SCRIPT.sub("", text)))
    return ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def line_feeds(text: str) -> str:
    """Return a text with a line feed for each line end, of whatever system."""
    return LINE_BREAK.sub("\n", text)


def mend_bytes(text: str) -> str:
    """Read a byte that was not UTF-8 as Windows-1252, which it nearly always is."""
    return ESCAPED_BYTE.sub(
        lambda byte: bytes([ord(byte[0]) - 0xDC00]).decode("cp1252", "replace"), text
    )


def mend_twice_encoded(text: str) -> str:
    """Mend UTF-8 that was read as Windows-1252: “schÃ¶n” becomes “schön”.

    Only what is valid UTF-8 from its first byte to its last is changed, and of single
    characters only those of Western texts: “É»” is more often that than a lost “ɻ”.
    """

    def mend(run: re.Match) -> str:
        as_bytes = b"".join(
            character.encode("cp1252") if _in_cp1252(character) else
            bytes([ord(character)]) if ord(character) < 0x100 else b"\xff"
            for character in run[0]
        )
        try:
            mended = as_bytes.decode("utf-8")
        except UnicodeDecodeError:
            return run[0]
        return mended if len(mended) > 1 or run[0][0] in "ÂÃâð" else run[0]

    return BEYOND_ASCII.sub(mend, text)


def _in_cp1252(character: str) -> bool:
    try:
        return bool(character.encode("cp1252"))
    except UnicodeEncodeError:
        return False


# In this order: what is found, what is done, and how.
STEPS: list[tuple[str, str, Callable[[str], str]]] = [
    ("bytes that are not in the file's encoding", "read as Windows-1252", mend_bytes),
    (
        "half of a character that takes two (a lone surrogate)",
        "replaced by the sign for an unknown character, U+FFFD",
        lambda text: SURROGATE.sub("\ufffd", text),
    ),
    (
        "line ends of Windows, of old Macs or of Word",
        "turned into line feeds",
        line_feeds,
    ),
    ("letters that were encoded twice (“Ã¶” for “ö”)", "mended", mend_twice_encoded),
    (
        "control characters or invisible ones",
        "taken out",
        lambda text: INVISIBLE.sub("", text),
    ),
    ("HTML tags or entities", "breaks kept, tags taken out, entities resolved", strip_markup),
]
# Without these a text cannot be stored or tokenized: done even when texts are kept as they are.
NEEDED = {mend_bytes, STEPS[1][2]}


def clean(text: str, as_is: bool = False) -> tuple[str, list[tuple[str, str]]]:
    """Clean one text.

    Parameters
    ----------
    text : str
    as_is : bool
        Whether to mend only what cannot be stored as text at all.

    Returns
    -------
    text : str
        Without white space at its ends, unless kept as it is.
    done : list of (what was found, what was done)
    """
    done = []
    for found, what, step in STEPS:
        if as_is and step not in NEEDED:
            continue
        changed = step(text)
        if changed != text:
            done.append((found, what))
        text = changed
    return (text if as_is else text.strip()), done


def is_missing(cell: object) -> bool:
    """Say whether a cell holds nothing: empty, not a number, or a program's word for that."""
    if cell is None or cell is pd.NaT:
        return True
    if isinstance(cell, float | np.floating):
        return math.isnan(cell)
    return isinstance(cell, str) and cell.strip() in MISSING
