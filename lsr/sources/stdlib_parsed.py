"""The documentation of a module that is written in Python, from its source, without running it.

Knows Python's syntax. Does not follow imports; it only says which names a module takes from where.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lsr.sources.stdlib_entries import Entry, is_public, shortened

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_PROPERTIES = {"property", "cached_property", "getter", "abstractproperty", "DynamicClassAttribute"}


@dataclass(slots=True)
class ParsedModule:
    """A module's own definitions and the names that it takes from other modules.

    Attributes
    ----------
    doc : str
    entries : dict of str to list of Entry
        For each top-level name its own entry and those of its members.
    exported : set of str or None
        What is written out in `__all__`, None where there is no `__all__`.
    computed : bool
        Whether more is added to `__all__` that only running the module would tell.
    taken : dict of str to (str, str)
        name here -> (module, name there); relative module names are as written, with their points.
    starred : list of str
        Modules of which everything is taken.
    """

    doc: str = ""
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    exported: set[str] | None = None
    computed: bool = False
    taken: dict[str, tuple[str, str]] = field(default_factory=dict)
    starred: list[str] = field(default_factory=list)


def parse_module(path: Path) -> ParsedModule:
    """Parse a source file.

    Raises
    ------
    SyntaxError
        The file is not valid Python (for this version).
    OSError
        It cannot be read.
    """
    tree = ast.parse(path.read_bytes())
    module = ParsedModule(doc=ast.get_docstring(tree) or "")
    for node in _statements(tree.body):
        if isinstance(node, _Function | ast.ClassDef):
            # Of several definitions (for several platforms, say) the first with a docstring counts.
            if is_public(node.name) and not module.entries.get(node.name):
                module.entries[node.name] = list(_documented(node, ""))
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            for alias in node.names:
                if alias.name == "*":
                    module.starred.append(source)
                else:
                    module.taken[alias.asname or alias.name] = (source, alias.name)
        elif (names := _exported(node)) is not None:
            module.exported = (module.exported or set()) | set(names)
        elif _mentions_all(node):
            module.computed = True
            module.exported = module.exported or set()
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            _take_alias(module, node.targets[0].id, node.value)
    return module


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those within if, try and with included."""
    for node in body:
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _statements(node.body)
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)
            yield from _statements(getattr(node, "orelse", []))
            yield from _statements(getattr(node, "finalbody", []))
        else:
            yield node


def _documented(node: _Function | ast.ClassDef, owner: str) -> Iterator[Entry]:
    """The entry of a definition, where it has a docstring, and those of a class's members."""
    name = owner + node.name
    doc = ast.get_docstring(node) or ""
    if isinstance(node, ast.ClassDef):
        signature, doc_of_init = "", ""
        for member in node.body:
            if isinstance(member, _Function) and member.name == "__init__":
                signature, doc_of_init = _signature(member, bound=True), ast.get_docstring(member) or ""
        doc = "\n\n".join(filter(None, (doc, doc_of_init)))
        if doc:
            yield Entry(name, "class", signature, doc)
        seen: set[str] = set()
        for member in node.body:
            if isinstance(member, _Function | ast.ClassDef) and is_public(member.name) and member.name not in seen:
                entries = list(_documented(member, f"{name}."))
                yield from entries
                seen.update(member.name for _ in entries[:1])
    elif doc:
        decorators = {_last_name(decorator) for decorator in node.decorator_list}
        if owner and decorators & _PROPERTIES:
            yield Entry(name, "property", "", doc)
        else:
            bound = bool(owner) and "staticmethod" not in decorators
            yield Entry(name, "method" if owner else "function", _signature(node, bound=bound), doc)


def _signature(node: _Function, *, bound: bool) -> str:
    if bound:
        # Without self or cls.
        del (node.args.posonlyargs or node.args.args)[:1]
    return shortened(f"({ast.unparse(node.args)})")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _exported(node: ast.stmt) -> list[str] | None:
    """The names of `__all__ = [...]` or `__all__ += [...]`; None for another statement."""
    if isinstance(node, ast.Assign | ast.AugAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and target.id == "__all__" and isinstance(node.value, ast.List | ast.Tuple):
            names = [item.value for item in node.value.elts if isinstance(item, ast.Constant)]
            if len(names) == len(node.value.elts):
                return [str(name) for name in names]
    return None


def _mentions_all(node: ast.stmt) -> bool:
    """Whether a statement makes or changes `__all__` in a way that only running it would tell."""
    if not isinstance(node, ast.Assign | ast.AugAssign | ast.Expr):
        return False
    value = (
        node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AugAssign) else node
    )
    return any(isinstance(part, ast.Name) and part.id == "__all__" for part in ast.walk(value))


def _take_alias(module: ParsedModule, name: str, value: ast.expr) -> None:
    """`get_ident = _thread.get_ident`, and another name for a name that was taken."""
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id.startswith("_"):
        module.taken[name] = (value.value.id, value.attr)
    elif isinstance(value, ast.Name) and value.id in module.taken:
        module.taken[name] = module.taken[value.id]
