"""From the bytes of a file to its characters, and how it is known which they are."""

import codecs
import io
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

import charset_normalizer

BLOCK = 1_000_000  # bytes that are looked at together
ESCAPED, NOT_ASCII = re.compile("[\udc80-\udcff]"), re.compile("[^\x00-\x7f]")
BYTE_ORDER_MARKS = [  # the longer ones first: UTF-32's begins as UTF-16's does
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
]
# These take a byte order mark for a character of the text.
WITHOUT_MARK = {"utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"}
# How files begin that hold no text, whatever their names say: those of Word and others that are
# zipped, PDF, Word's older ones, RTF, gzip. The page has the same, in read-texts.mjs.
SIGNATURES = ["PK\x03\x04", "%PDF", "\xd0\xcf\x11\xe0", "{\\rtf", "\x1f\x8b"]
NO_TEXT = (
    "is a Word file, or another that is not text: save it as plain text (.txt), or a table as "
    "CSV"
)
LOOKED_AT = 4000  # bytes that show whether there are zeros, and of what kind
FEWEST_ZEROS = 0.25  # of what could be UTF-8 as well; in UTF-16 it would be half
WESTERN = ["cp1252", "mac_roman"]
OTHER_SCRIPTS = [
    "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1251", "koi8_r", "cp1253", "cp1255",
    "cp1256",
]  # fmt: skip
# What Western texts hold beside ASCII: a wrong encoding turns it into something rarer.
COMMON = set("äöüßÄÖÜéèêëàâáãåçñíîïìóôõòúûùøæœÉÈÀÇÑÅØÆþðÞ“”„‘’‚–—…«»€£°§\xa0¿¡")
# Above this share of bytes beyond ASCII, a text is not written in the Latin alphabet.
MOST_BEYOND_ASCII = 0.25


class Encoding(NamedTuple):
    """How to turn a file's bytes into characters, and what had to be assumed for that."""

    name: str
    errors: str  # "strict", or what becomes of bytes that are not in the encoding
    found: str  # empty for UTF-8 without a byte order mark
    n_mark: int = 0  # bytes of a byte order mark that the encoding does not take off itself


def open_text(path: Path, encoding: Encoding, newline: str) -> TextIO:
    """Open a file for its characters, without a byte order mark."""
    file = path.open("rb")
    file.read(encoding.n_mark)
    return io.TextIOWrapper(file, encoding.name, encoding.errors, newline)


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Turn bytes into characters, and say what had to be assumed.

    Parameters
    ----------
    data : bytes
    encoding : str, optional
        Left out, it is found, see :func:`find_encoding`.

    Returns
    -------
    text, found : str

    Raises
    ------
    ValueError
        If the encoding is unknown, or the bytes are not in it.
    """
    kind = find_encoding(io.BytesIO(data), encoding)
    return data[kind.n_mark :].decode(kind.name, kind.errors), kind.found


def find_encoding(file: BinaryIO, encoding: str | None = None) -> Encoding:
    """Find a file's encoding: by a byte order mark, as UTF-8, as UTF-16, or guessed.

    The file is read once from where it stands to its end, a block at a time. Bytes that are
    not UTF-8 in a file that otherwise is become lone surrogates (U+DC80 to U+DCFF), so that
    :func:`layerwise.texts.cleaning.clean` can mend them row by row.

    Raises
    ------
    ValueError
        If the encoding is unknown, the bytes are not in it, or they are not those of a text.
    """
    head = file.read(BLOCK)
    if head.startswith(tuple(x.encode("latin-1") for x in SIGNATURES)):
        raise ValueError(f"the file {NO_TEXT}")
    mark, marked = find_mark(head)
    n_mark = len(mark) if marked == "utf-8" or encoding in WITHOUT_MARK else 0
    head = head[n_mark:]
    blocks = itertools.chain([head], iter(lambda: file.read(BLOCK), b""))
    if encoding is not None:
        return _check(blocks, Encoding(encoding, "strict", "", n_mark))
    found = f"begins with the byte order mark of {marked.upper()}" if mark else ""
    if mark and marked != "utf-8":
        return _check(blocks, Encoding(marked, "strict", found))
    if b"\0" in head[:LOOKED_AT]:
        name = utf_16_by_zeros(head[:LOOKED_AT])
        if name is None:
            raise ValueError(f"the file {NO_TEXT}")
        found = f"is in {name}, to judge by its zero bytes"
        return _check(blocks, Encoding(name, "strict", found, n_mark))
    broken, whole = _count_beyond_ascii(blocks)
    if not broken:
        return Encoding("utf-8", "strict", found, n_mark)
    but = f"{found}, but " if found else ""
    if broken < whole:
        found = f"{but}is in UTF-8 but for {broken} bytes"
        return Encoding("utf-8", "surrogateescape", found, n_mark)
    name = guess(head)
    found = f"{but}is not in UTF-8, and was taken to be in {name}"
    return Encoding(name, "replace", found, n_mark)


def utf_16_by_zeros(data: bytes) -> str | None:
    """Return which UTF-16 bytes with zeros among them are in; None if they are in neither."""
    name = "utf-16-le" if data[1::2].count(0) > data[0::2].count(0) else "utf-16-be"
    text = _decode_head(data, name)
    if text is None or "\0" in text:
        return None
    has_few_zeros = data.count(0) < FEWEST_ZEROS * len(data)
    return None if has_few_zeros and _decode_head(data, "utf-8") is not None else name


def _decode_head(data: bytes, name: str) -> str | None:
    """Decode bytes whose end may be cut off; return None if they are not in the encoding."""
    try:
        return codecs.getincrementaldecoder(name)().decode(data)
    except UnicodeDecodeError:
        return None


def find_mark(data: bytes) -> tuple[bytes, str]:
    """Return the byte order mark that bytes begin with, and its encoding; both may be empty."""
    return next((x for x in BYTE_ORDER_MARKS if data.startswith(x[0])), (b"", ""))


def _check(blocks: Iterable[bytes], encoding: Encoding) -> Encoding:
    """Check that all bytes are in an encoding."""
    try:
        decoder = codecs.getincrementaldecoder(encoding.name)()
    except LookupError:
        raise ValueError(
            f"unknown encoding {encoding.name!r}: use 'utf-8', 'cp1252', …"
        ) from None
    n_before = encoding.n_mark
    for block in itertools.chain(blocks, [b""]):  # an empty one is the end
        held = len(decoder.getstate()[0])  # bytes of a character that began before
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            position = n_before - held + error.start
            where = f"byte {position} is 0x{error.object[error.start]:02x}"
            raise ValueError(
                f"the file {encoding.found}, but {where}, which is not in {encoding.name}: "
                "name its encoding"
                if encoding.found else
                f"the file is not in {encoding.name}: {where}; name its encoding, or none to "
                "have it guessed"
            ) from None
        n_before += len(block)
    return encoding


def _count_beyond_ascii(blocks: Iterable[bytes]) -> tuple[int, int]:
    """Count the bytes that are not UTF-8, and the characters beyond ASCII that are."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    broken = whole = 0
    for block in itertools.chain(blocks, [b""]):
        text = decoder.decode(block, final=not block)
        if text.isascii():
            continue
        n_broken = len(ESCAPED.findall(text))
        broken += n_broken
        whole += len(NOT_ASCII.findall(text)) - n_broken
    return broken, whole


def guess(data: bytes) -> str:
    """Guess the encoding of bytes that are not UTF-8.

    Few bytes beyond ASCII mean a Western text, and then the encoding that makes of them the
    commoner characters. Many mean another script, which charset-normalizer knows better.
    """
    beyond_ascii = sum(byte > 0x7F for byte in data[:200_000])
    if beyond_ascii > MOST_BEYOND_ASCII * len(data[:200_000]):
        best = charset_normalizer.from_bytes(data, cp_isolation=OTHER_SCRIPTS).best()
        if best is not None:
            return best.encoding
    return max(WESTERN, key=lambda name: _share_of_common(data, name))  # of equals, the first


def _share_of_common(data: bytes, encoding: str) -> float:
    beyond = [x for x in data[:200_000].decode(encoding, "replace") if x > "\x7f"]
    return sum(character in COMMON for character in beyond) / max(1, len(beyond))
