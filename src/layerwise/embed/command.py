"""`layerwise embed`: its options, and the order in which it does things."""

import argparse
from pathlib import Path

from layerwise.embed.folder import check_target, locked
from layerwise.progress import say
from layerwise.texts.options import add_text_options, wrong_device, wrong_names

EPILOG = """\
TEXTS is a table (CSV, TSV, JSON, JSON lines, Excel, parquet), one text file, or a folder of
text files, whose sub-folders are the labels. A run that was stopped goes on where it stopped
when the same command is given again.

  layerwise embed speeches.csv --text text --out vectors/
  layerwise embed speeches.csv --text text --out last/ --layers 6 --dtype float16
  layerwise embed speeches.csv --text text --out vectors/ --ray auto

FOLDER/parts holds parquet files with the columns row (in TEXTS, as a spreadsheet counts),
title, text, label, and layer_0, layer_1, …: pandas.read_parquet("FOLDER/parts").
FOLDER/run.json says what they were made of and with, FOLDER/found.csv what was found in TEXTS.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        prog="layerwise embed", epilog=EPILOG,
        description="Embed every text in every layer of a model, and write parquet files.",
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    add_text_options(parser)
    add = parser.add_argument
    add("--out", metavar="FOLDER", type=Path, required=True, help="where the vectors go")
    add("--layers", default="all", help="all, or some by number, such as 0,3,6")
    add(
        "--pooling", choices=["mean", "cls", "max"], default="mean",
        help="how tokens become one vector (mean)",
    )  # fmt: skip
    add(
        "--dtype", choices=["float32", "float16"], default="float32",
        help="of the numbers that are kept (float32)",
    )  # fmt: skip
    add(
        "--encoder", "--model", metavar="NAME|FOLDER",
        help="a model on the hub or on this machine; else the book's own",
    )  # fmt: skip
    add("--device", default="auto", help="cpu, cuda, mps; else the best there is")
    add(
        "--ray", metavar="ADDRESS|auto",
        help="let the Ray cluster at this address do it, or the one that this machine is in",
    )  # fmt: skip
    return parser


def run(options: argparse.Namespace) -> None:
    """Embed the texts into the folder."""
    if wrong := [*wrong_names(options), *wrong_device(options.device)]:
        raise ValueError("; ".join(wrong))
    out = options.out.resolve()
    if options.ray is not None:
        from layerwise.embed.cluster import check_address

        if options.device not in ("auto", "cpu"):
            raise ValueError(
                f"--device {options.device}: the workers of a cluster compute on processors "
                "alone; leave it out, or leave out --ray"
            )
        check_address(options.ray)
    if options.texts.is_dir() and out.is_relative_to(options.texts.resolve()):
        raise ValueError(
            f"{str(out)!r} is among the texts, which would not be the same at the next run: "
            "name another folder with --out"
        )
    check_target(out)
    say(f"reading {options.texts}")
    from layerwise.embed.run import embed_table  # imports torch, which takes a while

    with locked(out):
        print(embed_table(options, out))
