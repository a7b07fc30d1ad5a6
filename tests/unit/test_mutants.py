"""Faults put into the package are faults: each changes one thing, and can be run."""

import ast

import pytest

from tools import faults, mutants

PACKAGE = faults.PACKAGE
MODULES = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")]


def bodies(tmp_path, monkeypatch, code: str) -> set[str]:
    """Return what each fault of a function's body turns it into."""
    (tmp_path / "m.py").write_text(f"def f(a, b):\n    {code}\n", encoding="utf-8")
    monkeypatch.setattr(faults, "PACKAGE", tmp_path)
    return {fault.text.decode().split("\n")[1].strip() for fault in faults.faults_of("m.py")}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return a < b", {"return a <= b"}),
        ("return a not in b", {"return a in b"}),
        ("return f(a, a)", set()),
        ("return (a + b) * b", {"return (a - b) * b", "return (a + b) / b"}),
        ("return a @ b", {"return ((b) @ (a))"}),
        ("return not a", {"return (a)"}),
        ("return -a", {"return (a)"}),
        ("return a and b", {"return a or b"}),
        ("return a if a else b", {"return (b) if (a) else (a)"}),
        ("return a.T", {"return a"}),
        ("return f(a, b, dim=a)", {"return f(b, a, dim=a)"}),
        ("return max(a, b)", set()),
        ("return a[0]", {"return a[1]"}),
        ("return True, 0.5", {"return False, 0.5", "return True, 1.0"}),
        ("return 0.0", {"return 1.0"}),
        ("return '—', a + b", {"return '—', a - b"}),  # columns are counted in bytes
        ("raise ValueError(a + b)", set()),
        ("'''Say 3 + 4.'''", set()),
        ("x: tuple[3] = a", set()),
        ("return f(linewidth=2)", set()),
    ],
)
def test_a_fault_changes_one_thing(code, expected, tmp_path, monkeypatch):
    assert bodies(tmp_path, monkeypatch, code) == expected


@pytest.mark.parametrize("module", MODULES)
def test_every_fault_of_the_package_can_be_compiled_and_is_one(module):
    source = (PACKAGE / module).read_bytes()
    right = source.splitlines(keepends=True)
    firsts = [faults.first_line(statement) - 1 for statement in ast.parse(source).body]
    for fault in faults.faults_of(module):
        wrong = fault.text.splitlines(keepends=True)
        # the statement that it stands in; to read every module anew would take a minute
        first = max(line for line in firsts if line < fault.line)
        last = min((line for line in firsts if line >= fault.line), default=len(right))
        end = last + len(wrong) - len(right)
        assert wrong[:first] + wrong[end:] == right[:first] + right[last:], fault
        found, wanted = (ast.dump(ast.parse(b"".join(lines)))
                         for lines in (wrong[first:end], right[first:last]))  # fmt: skip
        assert found != wanted, fault


def test_there_are_enough_faults_and_each_of_those_by_hand_has_its_place():
    made = [fault for module in MODULES for fault in faults.faults_of(module)]
    assert len(faults.sample(made, mutants.NUMBER)) == mutants.NUMBER >= 100
    assert len(list(faults.written_by_hand())) >= 30
    assert set(mutants.EQUIVALENT) <= {fault.key for fault in made}


def test_a_module_is_tried_with_the_tests_that_import_it_the_nearest_first():
    of_report = mutants.tests_of("report/methods.py")  # imported by its name, in cli.py
    assert of_report[0].endswith("/test_report.py")
    names = [path.rsplit("/", 1)[-1] for path in mutants.tests_of("by_hand/attention.py")]
    assert names[:2] == ["test_attention.py", "test_by_hand.py"]
    assert "test_packaging.py" not in names
    assert "test_breakages.py" in names  # through claims.py
