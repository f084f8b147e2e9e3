"""Finds where source text goes through a set in an order that has an effect, by its syntax alone.

What is a set is told from displays, calls, operators, annotations and assignments; names of
fields and functions that are annotated as sets count in all the files that are given. A set that
only goes where order does not matter (sums, tests, extremes, other sets) is none of its business.
Used by `tests/architecture/test_determinism.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

KINDS = {"set", "frozenset", "AbstractSet", "MutableSet"}
METHODS = {"union", "intersection", "difference", "symmetric_difference"}
BLIND = {"sorted", "min", "max", "sum", "any", "all", "len", "set", "frozenset", "Counter"}
"""Whose result is the same in whatever order they are given things."""
MIXES = {"update", "isdisjoint", "issubset", "issuperset", "difference_update", *METHODS}
ORDERED = {
    "list",
    "tuple",
    "iter",
    "enumerate",
    "zip",
    "map",
    "filter",
    "reversed",
    "dict",
    "chain",
}
OPERATORS = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Sets:
    """What is known to be a set in these trees."""

    def __init__(self, trees: Iterable[ast.AST]) -> None:
        self._fields: set[str] = set()
        self._calls: set[str] = set()
        others: set[str] = set()
        for node in (each for tree in trees for each in ast.walk(tree)):
            if isinstance(node, Function) and node.returns is not None:
                (self._calls if _says_set(node.returns) else others).add(node.name)
            if isinstance(node, ast.AnnAssign):
                name = ast.unparse(node.target).rpartition(".")[2]
                (self._fields if _says_set(node.annotation) else others).add(name)
        self._fields -= others  # elsewhere something else has this name
        self._calls -= others

    def orders(self, tree: ast.AST) -> Iterator[tuple[int, str]]:
        """Lines that go through a set in its order, and what they say."""
        for scope in _scopes(tree):
            names = self._names(scope)
            blind = {id(each) for node in _own(scope) for each in _unordered(node)}
            for node in _own(scope):
                for each in self._gone_through(node, names):
                    if id(node) not in blind:
                        yield each.lineno, ast.unparse(each)

    def _names(self, scope: ast.AST) -> set[str]:
        """Names that stand for sets in a function, or in a module."""
        found: set[str] = set()
        if isinstance(scope, Function):
            arguments = scope.args.posonlyargs + scope.args.args + scope.args.kwonlyargs
            found.update(a.arg for a in arguments if a.annotation and _says_set(a.annotation))
        for node in _own(scope):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    if self._is_set(value, found):
                        found.add(name)
                case ast.AnnAssign(target=ast.Name(id=name), annotation=said):
                    if _says_set(said):
                        found.add(name)
        return found

    def _gone_through(self, node: ast.AST, names: set[str]) -> Iterator[ast.expr]:
        match node:
            case ast.For(iter=source) | ast.AsyncFor(iter=source) if self._is_set(source, names):
                yield source
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
                yield from (g.iter for g in node.generators if self._is_set(g.iter, names))
            case ast.Starred(value=value) if self._is_set(value, names):
                yield value
            case ast.Call(func=ast.Name(id=called)) if called in ORDERED:
                yield from (a for a in node.args if self._is_set(a, names))
            case ast.Call(func=ast.Attribute(attr="join" | "extend" | "fromkeys")):
                yield from (a for a in node.args if self._is_set(a, names))

    def _is_set(self, node: ast.AST, names: set[str]) -> bool:
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return name in names
            case ast.Attribute(attr=name):
                return name in self._fields
            case ast.Call(func=ast.Name(id=called)):
                return called in KINDS or called in self._calls
            case ast.Call(func=ast.Attribute(attr=called)):
                return called in METHODS or called in self._calls
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, OPERATORS):
                return any(self._is_set(each, names) or _is_keys(each) for each in (left, right))
            case ast.IfExp(body=body, orelse=other):
                return self._is_set(body, names) or self._is_set(other, names)
        return False


def _says_set(annotation: ast.expr) -> bool:
    head = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return ast.unparse(head).rpartition(".")[2] in KINDS


def _is_keys(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("keys", "items")
    )


def _scopes(tree: ast.AST) -> Iterator[ast.AST]:
    yield tree
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """What is in a function or module, and not in a function within it; in the order written."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, Function):
            yield child
            yield from _own(child)


def _unordered(node: ast.AST) -> Iterator[ast.AST]:
    """What is given to something to which its order does not matter."""
    match node:
        case ast.Call(func=ast.Name(id=called), args=given) if called in BLIND:
            yield from given
        case ast.Call(func=ast.Attribute(attr=called), args=given) if called in MIXES:
            yield from given
        case ast.Set(elts=given):
            yield from given
        case ast.SetComp():
            yield node
