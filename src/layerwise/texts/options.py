"""The options by which every command is told which texts to read, and how."""

import argparse
import re
from pathlib import Path
from typing import Any

NAMES = ["--text", "--label", "--title", "--group", "--date", "--encoding", "--decoder",
         "--encoder", "--device"]  # fmt: skip
DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:\d+)?")


class Once(argparse.Action):
    """Keep the value of an option, and refuse a second one: it would take the first's place."""

    filled: argparse.Namespace | None = None

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
        option: str | None = None,
    ) -> None:  # fmt: skip
        """Set the attribute."""
        if self.filled is namespace:
            first = getattr(namespace, self.dest)
            raise argparse.ArgumentError(
                self, f"it takes one value, and is given two, {first!s:.60} and {values!s:.60}"
            )
        self.filled = namespace
        setattr(namespace, self.dest, values)


def add_text_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add what :func:`layerwise.texts.own.load_texts` takes; return the group on reading.

    From then on, every option of the parser that takes one value refuses a second.
    """
    for name in (None, "store"):
        parser.register("action", name, Once)
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


def wrong_names(options: argparse.Namespace) -> list[str]:
    """Name options whose value is empty: they would be taken as not given."""
    values = {x: getattr(options, x.strip("-"), None) for x in NAMES}
    values["--encoder"] = values["--encoder"] or getattr(options, "encoders", None)
    wrong = [
        name for name, value in values.items()
        if any(x is not None and not x.strip()
               for x in (value if isinstance(value, list) else [value]))
    ]  # fmt: skip
    return [f"{name} '': a name is needed" for name in wrong]


def wrong_device(name: str) -> list[str]:
    """Say what is wrong with the name of a device; whether it is there, its user finds out."""
    if not name.strip() or DEVICE.fullmatch(name):
        return []
    return [f"--device {name}: use auto, cpu, cuda or mps"]
