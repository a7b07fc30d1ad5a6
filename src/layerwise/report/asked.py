"""What is wrong with the options of a report: told at once, before anything is read."""

import argparse
from pathlib import Path

from layerwise.report.folder import check_target
from layerwise.texts.options import wrong_device, wrong_names

OF_PASSAGES = ["--size", "--overlap"]
OF_SURPRISAL = ["--decoder", "--date", "--most-tokens"]
LEAST = {"--size": 1, "--overlap": 0, "--most-tokens": 1}


def check_options(options: argparse.Namespace, out: Path) -> None:
    """Check what can be known before the texts are read.

    Raises
    ------
    ValueError
        If options are wrong: all that are.
    OSError
        If the folder cannot be written, and nothing else is wrong.
    """
    wrong = [
        *wrong_names(options), *without_theirs(options), *wrong_numbers(options),
        *wrong_device(options.device),
    ]  # fmt: skip
    try:
        check_target(out, options.replace)
    except OSError as error:
        if not wrong:
            raise
        wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))


def value_of(options: argparse.Namespace, name: str) -> str | int | None:
    """Return the value of an option, None where it was not given."""
    return getattr(options, name.strip("-").replace("-", "_"))


def given(options: argparse.Namespace, names: list[str]) -> list[str]:
    """Return those of the options that were given, each with its value."""
    values = {name: value_of(options, name) for name in names}
    return [f"{name} {value}" for name, value in values.items() if value is not None]


def without_theirs(options: argparse.Namespace) -> list[str]:
    """Name options that do nothing without another."""
    wrong = []
    if options.passages is None and (named := given(options, OF_PASSAGES)):
        wrong.append(f"{' and '.join(named)}: only of passages: name a unit with --passages")
    if not options.surprisal and (named := given(options, OF_SURPRISAL)):
        wrong.append(
            f"{' and '.join(named)}: only with --surprisal, which reads the texts with a model "
            "that writes"
        )
    return wrong


def wrong_numbers(options: argparse.Namespace) -> list[str]:
    """Name numbers that are too small, and an overlap that leaves no room to move on."""
    wrong = []
    for name, least in LEAST.items():
        value = value_of(options, name)
        if isinstance(value, int) and value < least:
            wrong.append(f"{name} {value}: at least {least} is needed")
    size, overlap = options.size, options.overlap
    if options.passages == "token" and size and overlap and overlap >= size > 0:
        wrong.append(f"--overlap {overlap}: less than --size {size} is needed")
    return wrong
