"""Make small faults in the package: see ``mutants.py``, which tries them."""

import ast
import contextlib
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from tools.desk import ROOT
from tools.mutants_by_hand import BY_HAND, DIAGRAMS, EQUIVALENT, TASTE

PACKAGE = ROOT / "src" / "layerwise"


class Fault(NamedTuple):
    """One thing that is wrong: where, what it says instead, and the module's whole text."""

    module: str  # by_hand/attention.py
    place: str  # the function
    line: int
    old: str
    new: str
    text: bytes

    def __str__(self) -> str:
        """Return what is wrong where, in one line."""
        return f"{self.module}:{self.line} {self.place}: {self.old}  →  {self.new}"

    @property
    def key(self) -> str:
        """What it is called, also after a change elsewhere in the module."""
        return f"{self.module} {self.place}: {self.old} → {self.new}"


# The same with two arguments swapped.
SYMMETRIC = {"cosine", "cosine_similarity", "max", "min", "transpose"}
SWAPS = {
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "*"), ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}  # fmt: skip


def faults_of(module: str) -> Iterator[Fault]:
    """Make every fault that the syntax tree of a module offers."""
    source = (PACKAGE / module).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.expr | ast.keyword) -> slice:
        return slice(
            starts[node.lineno - 1] + node.col_offset,
            starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0),
        )

    def text(node: ast.expr | ast.keyword) -> str:
        return source[span(node)].decode()

    def other(node: ast.expr, left: ast.expr, right: ast.expr, op: ast.AST) -> str:
        """Return an expression with another operator between two of its parts."""
        start, end = span(left).stop, span(right).start  # with the brackets of both
        old, new = (word.encode() for word in SWAPS[type(op)])
        between = source[start:end].replace(old, new, 1)
        before, after = source[span(node).start : start], source[end : span(node).stop]
        return (before + between + after).decode()

    for statement in ast.parse(source).body:  # each by itself: a whole module takes long
        part = slice(starts[first_line(statement) - 1], starts[statement.end_lineno or 0])
        right = ast.dump(ast.parse(source[part]))
        for place, node in expressions(statement, "module"):
            if module in DIAGRAMS and isinstance(node, ast.Constant | ast.Call):
                continue
            before, after = source[part.start : span(node).start], source[span(node).stop :]
            for new in instead(node, text, other):
                changed = before + new.encode() + after[: part.stop - span(node).stop]
                with contextlib.suppress(SyntaxError):
                    if ast.dump(ast.parse(changed)) == right:
                        continue  # two equal arguments swapped
                    whole = source[: part.start] + changed + source[part.stop :]
                    old, new = (" ".join(piece.split())[:70] for piece in (text(node), new))
                    yield Fault(module, place, node.lineno, old, new, whole)


def first_line(statement: ast.stmt) -> int:
    """Return the number of the line that a statement begins on, with what decorates it."""
    return min(x.lineno for x in [statement, *getattr(statement, "decorator_list", [])])


def expressions(node: ast.AST, place: str) -> Iterator[tuple[str, ast.expr]]:
    """Walk through what is computed: no annotation, docstring, message or matter of taste."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.keyword) and node.arg in TASTE:
        return
    if isinstance(node, ast.AnnAssign | ast.Assign):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
        if any(isinstance(name, ast.Name) and name.id in TASTE for name in targets):
            return
    if isinstance(node, ast.expr):
        yield place, node
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = node.name
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from expressions(child, place)


def instead(node: ast.expr, text, other) -> Iterator[str]:
    """Yield what could stand by mistake in place of an expression."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in SWAPS:
            yield other(node, left, right, op)
        case ast.BinOp(left=left, op=ast.MatMult(), right=right):
            yield f"(({text(right)}) @ ({text(left)}))"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPS:
            yield other(node, left, right, op)
        case ast.BoolOp(op=op, values=[left, right]):
            yield other(node, left, right, op)
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert()):
            yield f"({text(node.operand)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield f"({text(orelse)}) if ({text(test)}) else ({text(body)})"
        case ast.Constant(value=bool()):
            yield str(not node.value)
        case ast.Constant(value=int(number)):
            yield str(number + 1)
        case ast.Constant(value=float(number)):
            yield repr(number * 2 or 1.0)
        case ast.Attribute(attr="T"):
            yield text(node.value)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SYMMETRIC:
            pass
        case ast.Call(args=[first, second, *rest], keywords=named):
            others = [text(argument) for argument in [second, first, *rest]]
            others += [text(k) for k in named]  # with its name
            yield f"{text(node.func)}({', '.join(others)})"


def written_by_hand() -> Iterator[Fault]:
    """Read BY_HAND; a fault whose place is gone has to be written anew."""
    for module, old, new in [(m, *pair) for m, pairs in BY_HAND.items() for pair in pairs]:
        source = (PACKAGE / module).read_text(encoding="utf-8")
        if source.count(old) != 1:
            raise SystemExit(f"mend BY_HAND: {old!r} does not stand once in {module}")
        line = source[: source.index(old)].count("\n") + 1
        yield Fault(module, "by hand", line, old, new, source.replace(old, new).encode())


def sample(faults: list[Fault], number: int) -> list[Fault]:
    """Draw faults so that one that is drawn stays drawn while the rest of the code changes."""
    # Of several with one key, as the ones in a matrix of ones, the last stands for all.
    known = {fault.key: fault for fault in faults if fault.key not in EQUIVALENT}
    drawn = sorted(known.values(), key=lambda f: hashlib.sha256(f.key.encode()).digest())
    return drawn[:number]
