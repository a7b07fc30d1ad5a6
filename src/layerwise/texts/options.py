"""The options by which every command is told which texts to read, and how."""

import argparse
from pathlib import Path


def add_text_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add what :func:`layerwise.texts.own.load_texts` takes; return the group on reading."""
    parser.add_argument(
        "texts", metavar="TEXTS", help="a table or a folder of texts", type=Path
    )
    columns = parser.add_argument_group("columns of the table")
    for name, meaning in [
        ("--text", "the texts; else the longest are read"),
        ("--label", "what kind of text each is"),
        ("--title", "what to call each; else its first words"),
    ]:
        columns.add_argument(name, metavar="COLUMN", help=meaning)
    reading = parser.add_argument_group("reading")
    reading.add_argument("--encoding", help="of the file, such as cp1252; else it is found")
    reading.add_argument(
        "--as-is", action="store_true", help="keep markup and invisible characters in texts"
    )
    return reading
