"""The documentation of the running Python as documents: a real corpus on every machine, without a download.

Every public module, class, function, method and property of the standard library that has a docstring, each under the
name that users import it by. Python code is parsed, never imported; only C modules are imported. Tests, IDLE and other
programs that come with Python are left out.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from lsr.documents import Document
from lsr.errors import SourceError
from lsr.sources.stdlib_entries import Entry, is_public
from lsr.sources.stdlib_inspected import import_extension, inspect_name, public_names
from lsr.sources.stdlib_parsed import ParsedModule, parse_module
from lsr.sources.values import flaw_of_text

#: Programs, tests, and tables of characters.
_LEFT_OUT = {"idlelib", "lib2to3", "test", "tests", "turtledemo", "encodings", "pydoc_data", "site-packages"}
#: What other modules give under the name that users know: os, xml.parsers.expat, os.path.
_INTERNAL = {"posix", "nt", "pyexpat", "genericpath", "posixpath", "ntpath", "nturl2path", "sre_compile", "sre_parse"}
_KNOWN_AS = {os.path.__name__: "os.path", "_collections_abc": "collections.abc"}


def python_documentation() -> Iterator[Document]:
    """One document a documented thing, in the order of the modules' names; the same at every call.

    The id is the qualified name ("atexit.register", "str.split"), the title adds the signature, the text is the
    docstring, and the metadata are `kind` (module, class, function, method or property) and `module`.

    Raises
    ------
    SourceError
        The standard library's source files are not there (as in some frozen programs).
    """
    with warnings.catch_warnings():
        # Of old escapes in source files and of deprecated C modules.
        warnings.simplefilter("ignore")
        documents = _Library(Path(sysconfig.get_path("stdlib"))).documents()
    return iter(documents)


class _Library:
    """The standard library below a folder, each module parsed once at most."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[str, ParsedModule | None] = {}
        self._given: set[tuple[str, str]] = set()

    def documents(self) -> list[Document]:
        found: dict[str, Document] = {}
        modules = self._modules()
        if not any(map(self._path, modules)):
            raise SourceError(f"the standard library has no source files below {self._folder}")
        for name in modules:
            for document in self._of_module(name, _KNOWN_AS.get(name, name)):
                found.setdefault(document.id, document)
        return list(found.values())

    def _modules(self) -> list[str]:
        """Dotted names of the public modules, a package before its modules."""
        names: list[str] = []
        for top in sorted(sys.stdlib_module_names):
            if is_public(top) and top not in _LEFT_OUT and (top not in _INTERNAL or top in _KNOWN_AS):
                names.append(top)
                names += self._submodules(self._folder / top, top)
        # The one public module that is a private one under another name, in a way that only running it tells (3.13).
        names = [name for name in names if name != "collections.abc"] + ["_collections_abc"]
        return sorted(names, key=lambda name: _KNOWN_AS.get(name, name))

    def _submodules(self, folder: Path, package: str) -> Iterator[str]:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = path.name.removesuffix(".py")
            if not is_public(name) or name in _LEFT_OUT or not name.isidentifier():
                continue
            if (path / "__init__.py").is_file():
                yield f"{package}.{name}"
                yield from self._submodules(path, f"{package}.{name}")
            elif path.suffix == ".py":
                yield f"{package}.{name}"

    def _of_module(self, name: str, public: str) -> Iterator[Document]:
        doc = self._doc(name)
        if doc:
            yield from _document(public, "", Entry("", "module", "", doc))
        for local in self._names(name):
            origin, entries = self._resolve(name, local)
            if origin not in self._given:
                self._given.add(origin)
                for entry in entries:
                    yield from _document(public, entry.name, entry)

    def _doc(self, name: str) -> str:
        module = self._module(name)
        if module is not None:
            return module.doc
        return (getattr(import_extension(name), "__doc__", None) or "").strip()

    def _names(self, name: str, seen: frozenset[str] = frozenset()) -> list[str]:
        """The public top-level names of a module, its own ones first, in the order of the source."""
        module = self._module(name)
        if module is None:
            extension = import_extension(name)
            return [] if extension is None else public_names(extension)
        names = list(module.entries)
        for starred in module.starred:
            source = self._source(name, starred)
            if source and source not in seen:
                names += self._names(source, seen | {name})
        if module.exported is None:
            names += module.taken
        elif module.computed:
            names += [local for local in module.taken if local in module.exported]
        else:
            names = [local for local in (*names, *module.taken) if local in module.exported]
        return [local for local in dict.fromkeys(names) if is_public(local)]

    def _resolve(
        self, name: str, local: str, seen: frozenset[tuple[str, str]] = frozenset()
    ) -> tuple[tuple[str, str], list[Entry]]:
        """(module, name) where a name is defined, and its entries under the name `local`."""
        here = (name, local)
        module = self._module(name)
        if module is None:
            extension = import_extension(name)
            return here, [] if extension is None else inspect_name(extension, local)
        candidates = [module.taken[local]] if local in module.taken else [(star, local) for star in module.starred]
        if not module.entries.get(local):
            for written, other in candidates:
                source = self._source(name, written)
                if source and (source, other) not in seen:
                    origin, entries = self._resolve(source, other, seen | {here})
                    if entries:
                        return origin, [entry.renamed(other, local) for entry in entries]
        return here, module.entries.get(local, [])

    def _source(self, name: str, written: str) -> str | None:
        """The module that an import names, where taking from it makes a name one's own: from a private module, or
        into a package from its own modules.
        """
        is_package = (self._folder / name.replace(".", "/") / "__init__.py").is_file()
        package = name if is_package else name.rpartition(".")[0]
        source = importlib.util.resolve_name(written, package) if written.startswith(".") else written
        own = is_package and source.startswith(f"{name}.")
        return source if own or not is_public(source) or source in _INTERNAL else None

    def _module(self, name: str) -> ParsedModule | None:
        """The parsed module; None where it is not written in Python."""
        if name not in self._parsed:
            path = self._path(name)
            self._parsed[name] = None if path is None else parse_module(path)
        return self._parsed[name]

    def _path(self, name: str) -> Path | None:
        stem = self._folder / name.replace(".", "/")
        return next((path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()), None)


def _document(module: str, name: str, entry: Entry) -> Iterator[Document]:
    """The entry as a document; nothing where its docstring cannot be stored."""
    # What is built in has no module's name in front: "len", "str.split".
    identity = ".".join(filter(None, (module if module != "builtins" or not name else "", name)))
    if flaw_of_text(entry.doc) is None:
        yield Document(
            id=identity,
            text=entry.doc,
            title=identity + entry.signature,
            metadata={"kind": entry.kind, "module": module},
        )
