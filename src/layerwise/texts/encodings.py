"""From the bytes of a file to its characters, and how it is known which they are."""

import charset_normalizer

BYTE_ORDER_MARKS = [  # the longer ones first: UTF-32's begins as UTF-16's does
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
]
WESTERN = ["cp1252", "mac_roman"]
OTHER_SCRIPTS = [
    "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1251", "koi8_r", "cp1253", "cp1255",
    "cp1256",
]  # fmt: skip
# What Western texts hold beside ASCII: a wrong encoding turns it into something rarer.
COMMON = set("äöüßÄÖÜéèêëàâáãåçñíîïìóôõòúûùøæœÉÈÀÇÑÅØÆþðÞ“”„‘’‚–—…«»€£°§\xa0¿¡")
# Above this share of bytes beyond ASCII, a text is not written in the Latin alphabet.
MOST_BEYOND_ASCII = 0.25


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Turn bytes into characters, and say what had to be assumed.

    Bytes that are not UTF-8 in a file that otherwise is stay as lone surrogates (U+DC80 to
    U+DCFF), so that :func:`layerwise.texts.cleaning.clean` can mend them row by row.

    Parameters
    ----------
    data : bytes
    encoding : str, optional
        Left out, it is found: by a byte order mark, as UTF-8, as UTF-16, or guessed.

    Returns
    -------
    text, found : str
        ``found`` is empty for UTF-8 without a byte order mark.

    Raises
    ------
    ValueError
        If the encoding is unknown, or the bytes are not in it.
    """
    if encoding is not None:
        return _decode_as(data, encoding), ""
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_as(data, name), f"begins with the byte order mark of {name[:6]}"
    if b"\0" in data[:4000]:
        name = "utf-16-le" if data[1:4000:2].count(0) > data[0:4000:2].count(0) else "utf-16-be"
        return _decode_as(data, name), f"is in {name}, to judge by its zero bytes"
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    mended = data.decode("utf-8", "surrogateescape")
    broken = sum("\udc80" <= character <= "\udcff" for character in mended)
    whole = sum(character > "\x7f" for character in mended) - broken
    if broken < whole:
        return mended, f"is in UTF-8 but for {broken} bytes"
    name = guess(data)
    return data.decode(name, "replace"), f"is not in UTF-8, and was taken to be in {name}"


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        raise ValueError(f"unknown encoding {encoding!r}: use 'utf-8', 'cp1252', …") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the file is not in {encoding}: byte {error.start} is "
            f"0x{data[error.start]:02x}; name its encoding, or none to have it guessed"
        ) from None


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
