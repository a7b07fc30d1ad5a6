"""The chapter on one's own texts, run on a table that is not its example."""

from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from test_core_on_other_texts import TEXTS, run

CHAPTER = Path(__file__).parents[2] / "chapters" / "own_texts.md"


@pytest.mark.filterwarnings("default")
def test_it_runs_on_a_table_of_texts_and_days_and_every_check_holds(tmp_path, capsys):
    days = [f"18{40 + i % 7}-03-{i % 28 + 1:02}" for i in range(len(TEXTS))]
    pd.DataFrame({"words": TEXTS, "day": days}).to_csv(tmp_path / "mine.csv", index=False)
    notebook = jupytext.read(CHAPTER)
    first, *cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    names = {"__name__": "__main__"}
    run(first, names)
    assert {"path", "columns", "second_label", "cut"} <= set(names)
    names.update(path=tmp_path / "mine.csv", columns={"text": "words"}, second_label="day")
    with plt.rc_context():
        for code in cells:
            run(code, names)  # an exception, or a check that comes out wrong, ends the test
    plt.close("all")
    printed = "\n" + capsys.readouterr().out
    for call, mark in [("\ncheck_equal(", "\n✓ "), ("\ncheck_differs(", "\n≠ ")]:
        assert printed.count(mark) >= sum(("\n" + code).count(call) for code in cells) > 5
    assert len(names["own"].table) == len(names["names"]) == len(TEXTS)
    assert (names["out"] / "index.html").is_file()
