"""A course of a teacher's own: laid out from one file of settings, and built."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from layerwise.texts.own import Columns
from tools.book import build
from tools.book.course import (
    COLUMNS,
    COPIED,
    assigned,
    lay_out,
    publish,
    read_course,
    without_lost_references,
)
from tools.chapters import read_book, read_contents
from tools.desk import ROOT, BuildError
from tools.made import RECORD

SETTINGS = """\
title: Letters of a village
about: What a model makes of the letters we have read.
author: A class
chapters:
  tokens:
    line: My dear sister, the rain has not stopped
    word: haymaking
texts: letters.csv
columns: {text: letter, title: writer}
"""
NEWS = [("rain", "Monday"), ("haymaking", "Sunday"), ("letter", "Friday"), ("priest", "feast"),
        ("census", "morning"), ("thaw", "Tuesday"), ("tax-collector", "market day"),
        ("schoolmaster", "Thursday")]  # fmt: skip
LETTERS = [
    (f"{writer} {number}", " ".join(
        f"My dear {whom}, the {what} came on a {day}, and we were {mood} for {number + n} days."
        for n, (what, day) in enumerate(NEWS[number:] + NEWS[: number // 2])))
    for writer, whom, mood in [("Anna", "sister", "glad"), ("Jan", "Anton", "silent"),
                               ("Marie", "mother", "at odds")]
    for number in range(len(NEWS))
]  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a course's folder: its settings, and a table of 24 letters."""
    folder = tmp_path / "village"
    folder.mkdir()
    (folder / "course.yml").write_text(SETTINGS, "utf-8")
    with (folder / "letters.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("writer", "letter"), *LETTERS])
    return folder


def test_the_chapter_takes_the_courses_texts_where_it_sets_its_own(folder):
    lay_out(read_course(folder), folder / "_build" / "book")
    chapter = (folder / "_build/book/chapters/tokens.md").read_text("utf-8")
    before, after = chapter.split(":::{note}\nIn *Letters of a village*")
    assert 'word = "bobolink"' in before.rpartition("```{code-cell}")[2]
    cell = after.partition("```{code-cell} ipython3\n")[2].partition("\n```")[0]
    assert cell.splitlines()[-3:] == [
        'texts = own.table["text"].tolist()',
        "line = 'My dear sister, the rain has not stopped'", "word = 'haymaking'",
    ]  # fmt: skip
    original = (ROOT / "chapters" / "tokens.md").read_text("utf-8")
    assert after.partition("```\n")[2].partition("```\n")[2][-300:] == original[-300:]
    book = read_book(folder / "_build" / "book")
    assert [chapter.name for chapter in book.chapters] == ["chapters/tokens"]
    assert book.chapters[0].data == ("dickinson_poems", "letters")


@pytest.mark.parametrize("chapters", [["context"], ["own_texts", "counting"], ["transformer"]])
def test_whatever_is_left_out_nothing_refers_to_it(folder, chapters):
    (folder / "course.yml").write_text(yaml.safe_dump(
        {"title": "Some", "chapters": chapters}), "utf-8")  # fmt: skip
    root = folder / "_build" / "book"
    lay_out(read_course(folder), root)
    pages = read_contents(root)
    texts = {name: (root / f"{name}.md").read_text("utf-8") for name in pages}
    labels = set(re.findall(r"^\(([\w-]+)\)=$", "".join(texts.values()), re.MULTILINE))
    labels |= set(re.findall(r"^:label: (\S+)$", "".join(texts.values()), re.MULTILINE))
    n_found = 0
    for text in texts.values():
        for kind, inside in re.findall(r"\{(ref|doc)\}`([^`]+)`", text):
            target = inside.rpartition("<")[2].rstrip(">")
            n_found += 1
            if kind == "ref":
                assert target in labels
            else:
                assert target.rpartition("/")[2] in {Path(page).name for page in pages}
    assert n_found > 0


def test_words_stand_where_a_reference_led_nowhere():
    lost = {"context": "Vectors ● in context", "which": "Which layer?"}
    text = "{doc}`context` says why; {ref}`as here <which>`; {doc}`../context`; {ref}`kept`."
    assert without_lost_references(text, lost) == (
        "*Vectors  in context* says why; as here; *Vectors  in context*; {ref}`kept`."
    )


def test_the_names_that_a_cell_sets():
    code = "a = b = 1\nc, (d, *e) = f\ng[0] = h.i = 2\nfor j in k:\n    m = 3\nn += 1"
    assert assigned(code) == {"a", "b", "c", "d", "e", "m"}


def test_what_is_copied_is_there_and_a_second_time_nothing_old_stays(folder):
    course, root = read_course(folder), folder / "_build" / "book"
    lay_out(course, root)
    assert {path.name for path in root.iterdir()} >= set(COPIED)
    (root / "chapters" / "context.md").write_text("old", "utf-8")
    (root / "_build").mkdir()
    (root / "_build" / "kept").touch()
    lay_out(course, root)
    assert not (root / "chapters" / "context.md").exists()
    assert (root / "_build" / "kept").exists()


@pytest.mark.parametrize(("settings", "said"), [
    ("", "it has no title:; it has no chapters: name some of counting, "),
    ("title: A\nchapters: [token]", "'token' is no chapter: there are counting, "),
    ("title: A\nchapter: [tokens]", "'chapter' is no setting: use about, author, chapters"),
    ("title: A\nchapters: [tokens]\ntexts: none.csv", "texts: there is no file"),
    ("title: A\nchapters: [tokens]\ntexts: course.yml", "course.yml: call it by one word, and"),
    ("title: A\nchapters: {tokens: line}", "below 'tokens' stand no names"),
    ("title: A\nchapters: [tokens]\ncolumns: text", "columns: write {text: its name"),
    ("title: [", "is not YAML: line 1: expected the node content, but found '<stream end>'"),
    ("title: 2020-13-45", "is not YAML: month must be in 1..12"),
    ("title: A\nchapters:\n- tokens:\n    word: a", "write a list of names, or for each NAME:"),
    ("title: A\nchapters: {tokens: {word: 1865-04-15}}", "put quotation marks around 1865"),
    ("title: A\nchapters: [tokens]\ntexts: speeches.csv", "call it otherwise, the book has a"),
    ("just words", "it has no title:"),
])  # fmt: skip
def test_what_is_wrong_with_the_settings_is_said(folder, settings, said):
    (folder / "course.yml").write_text(settings, "utf-8")
    with pytest.raises(BuildError, match=re.escape(said)):
        read_course(folder)


def said_of(folder: Path, settings: str) -> list[str]:
    """Return what is said of a course's settings, one by one."""
    (folder / "course.yml").write_text(settings, "utf-8")
    with pytest.raises(BuildError) as raised:
        read_course(folder)
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(f"{folder / 'course.yml'}: ").split("; ")


def test_all_that_is_wrong_is_said_at_once(folder):
    (folder / "letters.csv").write_text("writer,letter\nAnna,It rains\n", "utf-8")
    (folder / "site").mkdir()
    (folder / "site" / "syllabus.docx").touch()
    said = said_of(folder, "title: A\ntexts: letters.csv\ncolumns: {text: lettr, verse: x}\n"
                   "chapters: {tokens: {lin: a, haiku: b}, context: {exampl: c}}")  # fmt: skip
    assert said == [
        "tokens sets no name 'lin': did you mean 'line'?", "tokens sets no name 'haiku'",
        "context sets no name 'exampl': did you mean 'example'?",
        f"columns: 'verse' is none of {', '.join(COLUMNS)}",
        "texts: there is no column 'lettr' (did you mean 'letter'?)",
        "the columns are 'writer', 'letter'",
        "texts: at least 20 are needed, and letters.csv holds 1, repeats left out",
        f"{folder / 'site'} holds 1 files that this command did not make, or that were changed "
        "since, syllabus.docx first: move the folder away",
    ]  # fmt: skip
    assert COLUMNS == (*Columns._fields, "encoding")


def test_of_texts_that_are_named_wrongly_all_is_said(folder):
    head = "title: A\nchapters: [tokens]\ntexts: "
    assert said_of(folder, f"{head}[a]") == ["texts: ['a'] is several: write one"]
    assert said_of(folder, f"{head}my letters.csv") == [
        "texts: my letters.csv: call it by one word, and save it as .csv",
        f"texts: there is no file {folder / 'my letters.csv'}",
    ]


def test_a_site_that_holds_a_file_of_the_teachers_is_refused_before_a_chapter_runs(
    folder, monkeypatch, capsys
):
    theirs = folder / "site" / "syllabus.docx"
    theirs.parent.mkdir()
    theirs.write_text("by hand", "utf-8")
    monkeypatch.setattr(build, "build", lambda *_: pytest.fail("a chapter would run"))
    assert build.main(["--course", str(folder)]) == 1
    assert "syllabus.docx first: move the folder away" in capsys.readouterr().out
    assert theirs.read_text("utf-8") == "by hand"
    assert not (folder / "_build").exists()


def test_a_site_is_published_whole_and_again_or_stays(folder, monkeypatch):
    course, root, site = read_course(folder), folder / "_build" / "book", folder / "site"
    html = root / "_build" / "html"
    html.mkdir(parents=True)
    for text in ("first", "second"):
        (html / "index.html").write_text(text, "utf-8")
        assert publish(course, root) == site / "index.html"
        assert (site / "index.html").read_text("utf-8") == text
        (site / ".DS_Store").touch()

    def interrupted(source: Path, draft: Path) -> None:
        draft.mkdir()
        (draft / "index.html").write_text("half", "utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copytree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(course, root)
    assert (site / "index.html").read_text("utf-8") == "second"
    assert {path.name for path in site.iterdir()} == {"index.html", ".DS_Store", RECORD}
    assert {path.name for path in folder.iterdir()} == {
        "_build", "course.yml", "letters.csv", "site"
    }  # fmt: skip


def test_its_models_are_those_of_the_settings_but_for_what_the_command_says(
    folder, monkeypatch
):
    (folder / "model").mkdir()
    more = "encoder: model\ndecoder: somebody/writes\n"
    (folder / "course.yml").write_text(SETTINGS + more, "utf-8")
    asked = []
    monkeypatch.setattr(build, "build", lambda root, models, device: asked.append(models) or 1)
    assert build.main(["--course", str(folder)]) == 1
    assert build.main(["--course", str(folder), "--decoder", "another"]) == 1
    assert asked == [{"encoder": str(folder / "model"), "decoder": "somebody/writes"},
                     {"encoder": str(folder / "model"), "decoder": "another"}]  # fmt: skip


def test_a_course_is_built_on_its_own_texts(folder):
    command = [sys.executable, "-m", "tools.book.build", "--course", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    page = (folder / "site" / "chapters" / "tokens.html").read_text("utf-8")
    assert "There are 24 texts" in page
    assert "haymaking" in page
    index = (folder / "site" / "index.html").read_text("utf-8")
    assert "Letters of a village" in index
    assert "context.html" not in index
    assert (folder / "site" / "notebooks" / "chapters" / "tokens.ipynb").is_file()
    wheel = next((folder / "site" / "notebooks").glob("*.whl"))
    listed = subprocess.check_output([sys.executable, "-m", "zipfile", "-l", wheel], text=True)
    assert "layerwise/datasets/letters.csv" in listed
