"""The documentation of a module that is written in C, from the running interpreter.

Only built-in and extension modules of the standard library are imported here, never Python code.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import types
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader

from lsr.sources.stdlib_entries import Entry, Kind, is_public, shortened

#: GNU readline writes to the terminal and changes how `input` works as soon as it is imported.
_NEVER_IMPORTED = {"readline"}
_SELF = re.compile(r"\(\$\w+(?:, /)?(?:, )?")
#: Older documentation begins with "name(arguments) -> result".
_WRITTEN = re.compile(r"(\w+)(\([^()\n]*\))")
_FUNCTIONS = (types.BuiltinFunctionType, types.MethodDescriptorType, types.ClassMethodDescriptorType)
_PROPERTIES = (types.GetSetDescriptorType, types.MemberDescriptorType)


def import_extension(name: str) -> types.ModuleType | None:
    """A built-in or extension module; None where it is missing, or is written in Python."""
    if name in _NEVER_IMPORTED:
        return None
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and (spec.origin == "built-in" or isinstance(spec.loader, ExtensionFileLoader)):
            return importlib.import_module(name)
    except (ImportError, ValueError):  # not built, or a library that it needs is missing
        pass
    return None


def public_names(module: types.ModuleType) -> list[str]:
    """The names that `from module import *` gives, sorted."""
    return sorted(getattr(module, "__all__", None) or filter(is_public, vars(module)))


def inspect_name(module: types.ModuleType, name: str) -> list[Entry]:
    """The entry of one function or class of a module and those of a class's members; nothing for anything else."""
    # Python keeps the originals of hooks that programs replace, such as sys.excepthook.
    thing = vars(module).get(f"__{name}__", getattr(module, name, None))
    if isinstance(thing, types.BuiltinFunctionType):
        return list(_entry(name, "function", thing))
    if isinstance(thing, type) and (thing.__module__ != "builtins" or module.__name__ == "builtins"):
        return [*_entry(name, "class", thing), *_members(name, thing)]
    return []


def _members(owner: str, cls: type) -> Iterator[Entry]:
    for name, member in sorted(vars(cls).items()):
        if not is_public(name):
            continue
        if isinstance(member, staticmethod):
            member = member.__func__
        if isinstance(member, _FUNCTIONS):
            yield from _entry(f"{owner}.{name}", "method", member)
        elif isinstance(member, _PROPERTIES):
            yield from _entry(f"{owner}.{name}", "property", member)


def _entry(name: str, kind: Kind, thing: object) -> Iterator[Entry]:
    doc = inspect.cleandoc(thing.__doc__) if isinstance(thing.__doc__, str) else ""
    if doc:
        signature = getattr(thing, "__text_signature__", None) or ""
        if signature:
            signature = _SELF.sub("(", signature, count=1)
        elif (written := _WRITTEN.match(doc)) and written[1] == name.rpartition(".")[2]:
            signature = written[2]
        yield Entry(name, kind, shortened(signature), doc)
