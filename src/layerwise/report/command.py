"""`layerwise report`: its options, and the order in which it does things."""

import argparse
import shlex
import time
from pathlib import Path

from layerwise.progress import say
from layerwise.report.asked import check_options
from layerwise.report.enough import check_enough, what_was_left_out
from layerwise.report.folder import stopped_after, written_whole
from layerwise.texts.options import add_text_options
from layerwise.texts.own import load_texts
from layerwise.texts.passages import UNITS

EPILOG = """\
TEXTS is a table (CSV, TSV, JSON, JSON lines, Excel, parquet), one text file, or a folder of
text files, whose sub-folders are the labels. Nothing leaves this machine but the name of a
model that is not on it yet.

  layerwise report poems.csv --text text --label theme
  layerwise report letters.csv --text text --label writer --group letter
  layerwise report novel.txt --passages paragraph
  layerwise report speeches.csv --text text --label speaker --date year --surprisal
  layerwise report speeches/ --encoder sentence-transformers/all-MiniLM-L6-v2 ../my-model
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        prog="layerwise report", epilog=EPILOG,
        description="Measure what each layer of a model does to your texts, beside the "
        "baselines that give the numbers meaning, and write a folder to open in a browser.",
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    reading = add_text_options(parser)
    reading.add_argument(
        "--group", metavar="COLUMN", help="which texts belong together, such as those of one "
        "document: they do not count as each other's neighbours; passages of one text never do",
    )
    reading.add_argument("--passages", choices=UNITS, help="cut texts into whole ones of these")
    reading.add_argument(
        "--size", type=int, metavar="TOKENS", help="the most tokens in a passage (120)"
    )
    reading.add_argument(
        "--overlap", type=int, metavar="N", help="how many units passages have in common (0)"
    )
    writes = parser.add_argument_group("reading by a model that writes")
    writes.add_argument(
        "--surprisal", action="store_true", help="also say what the texts cost such a model, "
        "by line, position, label and date, beside controls, and whether it recites them",
    )
    writes.add_argument(
        "--decoder", metavar="NAME|FOLDER", help="the model; else the book's own"
    )
    writes.add_argument("--date", metavar="COLUMN", help="years or dates of the texts")
    writes.add_argument(
        "--most-tokens", type=int, metavar="N", help="how many tokens of the texts it reads "
        "(20,000, each several times); of more, a sample",
    )
    add = parser.add_argument
    add(
        "--encoder", "--model", dest="encoders", nargs="+", action="extend",
        metavar="NAME|FOLDER", default=[],
        help="models on the hub or on this machine; the first is the main one, and the others "
        "say which findings hold with another model",
    )  # fmt: skip
    add("--device", default="auto", help="cpu, cuda, mps; else the best there is")
    add("--out", metavar="FOLDER", type=Path, help="else NAME-report, here")
    add("--replace", action="store_true", help="replace a report that is there already")
    return parser


def run(options: argparse.Namespace) -> None:
    """Read the texts, measure each model, and write the folder."""
    out = (options.out or Path(f"{options.texts.resolve().stem}-report")).resolve()
    check_options(options, out)
    say(f"reading {options.texts}")
    texts = load_texts(
        options.texts, options.text, options.label, options.title, options.encoding,
        options.as_is, options.group, options.date,
    )  # fmt: skip
    for found, done in texts.report.loc[texts.report["n_rows"] == 0, ["found", "done"]].values:
        say(f"  {found}: {done}")
    if not options.passages:
        check_enough(len(texts.table), None, what_was_left_out(texts.report))
    say("loading the model")
    from layerwise.report.write import make_report  # imports torch: what is wrong is said first

    with written_whole(out) as draft:
        facts = make_report(draft, texts, options, facts_of_run(options))
        if options.stopped.is_set():
            raise KeyboardInterrupt
    with stopped_after(out):
        print(summary(facts, out))


def summary(facts: dict, out: Path) -> str:
    """Say what came out, what cannot be said, and where the rest is."""
    lines = []
    for claim in facts["claims"]:
        verdicts = [x for name, x in claim.items() if name.endswith("holds")]
        lines.append(f"{' / '.join(verdicts):>17}  {claim['claim']}")
    read = facts.get("surprisal", {"claims": [], "limits": []})
    lines += [f"{claim['holds']:>17}  {claim['claim']}" for claim in read["claims"]]
    for limits in [*facts["limits"].values(), read["limits"]]:
        lines += [f"{'beware':>17}  {limit}" for limit in limits]
    return "\n".join([*lines, "", f"open {out / 'index.html'}"])


def facts_of_run(options: argparse.Namespace) -> dict:
    """Return what a reader must know to run the same again."""
    return {
        "title": f"{options.texts.resolve().name}, layer by layer",
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(["layerwise report", *map(in_shell, options.arguments)]),
    }


def in_shell(argument: str) -> str:
    """Write an argument as a shell reads it, in one line."""
    if argument.isprintable():
        return shlex.quote(argument)
    signs = [x if x.isprintable() and x not in "'\\" else as_escape(x) for x in argument]
    return f"$'{''.join(signs)}'"


def as_escape(sign: str) -> str:
    """Write a sign as it stands between a shell's $' and '."""
    code = ord(sign)
    if sign in "'\\":
        return f"\\{sign}"
    return "\\n" if sign == "\n" else f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"
