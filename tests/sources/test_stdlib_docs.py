"""The documentation of the running Python as a corpus."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lsr.documents import Document
from lsr.errors import SourceError
from lsr.sources import python_documentation
from lsr.sources.stdlib_docs import _Library
from lsr.sources.stdlib_entries import Entry
from lsr.sources.stdlib_inspected import import_extension, inspect_name, public_names
from lsr.sources.stdlib_parsed import parse_module

SOURCE = '''
"""A module."""
import _thread
from _socket import *
from _operator import add as plus, _hidden
from . import sibling
from .sub import helper

get_ident = _thread.get_ident
again = plus

if True:
    def function(a, /, b=1, *, c: int = 2) -> int:
        """Does it."""
else:
    def function(other):
        """Not this one."""

try:
    async def waiting(): "Waits."
except ImportError:
    pass

def _private(): "No."
def silent(): pass

class Thing(Base):
    """A thing."""

    def __init__(self, size, *rest):
        """Of a size."""

    @property
    def size(self):
        """How large."""

    @size.setter
    def size(self, value):
        """Not this one."""

    @staticmethod
    def make(a): "Makes."

    @classmethod
    def build(cls, a): "Builds."

    class Inner:
        """Within."""
        def run(self): "Runs."

    def _hidden(self): "No."

class Bare:
    def method(self, x): "Of a class without a docstring."
'''


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    found = list(python_documentation())
    assert len(found) == len({document.id for document in found})
    return {document.id: document for document in found}


def test_it_is_thousands_of_documents_of_every_kind(documents: dict[str, Document]) -> None:
    assert len(documents) > 5000
    kinds = Counter(str(document.metadata["kind"]) for document in documents.values())
    assert kinds.keys() == {"module", "class", "function", "method", "property"}
    assert min(kinds.values()) > 200
    for document in documents.values():
        assert document.text.strip()
        assert document.title.startswith(document.id)
        assert Document.from_json(document.to_json()) == document


@pytest.mark.parametrize(
    ("identity", "title", "kind", "module", "words"),
    [
        ("atexit.register", "atexit.register(func, ", "function", "atexit", "executed upon normal program termination"),
        ("str.split", "str.split(sep=None, maxsplit=-1)", "method", "builtins", "substrings in the string"),
        ("len", "len(obj, /)", "function", "builtins", "number of items"),
        ("json", "json", "module", "json", "JSON"),
        ("json.dumps", "json.dumps(obj, *, skipkeys=False", "function", "json", "Serialize"),
        ("os.listdir", "os.listdir(path=None)", "function", "os", "names of the files"),
        ("os.path.join", "os.path.join(a, *p)", "function", "os.path", "pathname components"),
        ("asyncio.run", "asyncio.run(main, *", "function", "asyncio", "Execute the coroutine"),
        ("collections.deque.popleft", "collections.deque.popleft", "method", "collections", "leftmost"),
        ("collections.abc.Mapping", "collections.abc.Mapping", "class", "collections.abc", "key/value"),
        ("pathlib.Path.read_text", "pathlib.Path.read_text(encoding=None", "method", "pathlib", "text mode"),
        ("datetime.datetime.now", "datetime.datetime.now(tz=None)", "method", "datetime", "time zone|local time"),
        ("threading.get_ident", "threading.get_ident", "function", "threading", "identif"),
        ("sys.excepthook", "sys.excepthook(", "function", "sys", "traceback"),
        ("argparse.ArgumentParser", "argparse.ArgumentParser(prog=None", "class", "argparse", "command line"),
        ("shutil.copytree", "shutil.copytree(src, dst", "function", "shutil", "directory tree"),
        ("threading.Thread.daemon", "threading.Thread.daemon", "property", "threading", "daemon"),
        ("unittest.TestCase.assertEqual", "unittest.TestCase.assertEqual(first", "method", "unittest", "equal"),
    ],
)
def test_things_have_the_names_by_which_they_are_imported(
    documents: dict[str, Document], identity: str, title: str, kind: str, module: str, words: str
) -> None:
    document = documents[identity]
    assert document.title.startswith(title)
    assert document.metadata == {"kind": kind, "module": module}
    assert any(choice in document.text for choice in words.split("|"))


def test_private_and_foreign_things_are_left_out(documents: dict[str, Document]) -> None:
    for identity in documents:
        assert not any(part.startswith("_") for part in identity.split("."))
    tops = {str(document.metadata["module"]).split(".")[0] for document in documents.values()}
    assert tops <= sys.stdlib_module_names
    assert not tops & {"test", "idlelib", "lib2to3", "turtledemo", "posixpath", "posix", "pytest"}
    assert "os.error" not in documents


def test_it_is_the_same_in_another_process_and_leaves_nothing_behind(documents: dict[str, Document]) -> None:
    program = """
import sys
from lsr.sources.stdlib_docs import python_documentation
before = set(sys.modules)
found = [document.id for document in python_documentation()]
import hashlib
print(hashlib.sha256("\\n".join(found).encode()).hexdigest())
python = [name for name in set(sys.modules) - before if getattr(sys.modules[name], "__file__", "").endswith(".py")]
print(sorted(set(python) & {"antigravity", "this", "tkinter", "idlelib", "turtle", "asyncio", "unittest"}))
print("readline" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    digest, imported, readline = run.stdout.splitlines()
    import hashlib

    assert digest == hashlib.sha256("\n".join(documents).encode()).hexdigest()
    assert (imported, readline) == ("[]", "False")


def test_a_python_module_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    module = parse_module(path)
    assert module.doc == "A module."
    entries = [entry for entries in module.entries.values() for entry in entries]
    assert [(entry.name, entry.kind, entry.signature) for entry in entries] == [
        ("function", "function", "(a, /, b=1, *, c: int=2)"),
        ("waiting", "function", "()"),
        ("Thing", "class", "(size, *rest)"),
        ("Thing.size", "property", ""),
        ("Thing.make", "method", "(a)"),
        ("Thing.build", "method", "(a)"),
        ("Thing.Inner", "class", ""),
        ("Thing.Inner.run", "method", "()"),
        ("Bare.method", "method", "(x)"),
    ]
    assert [entry.doc for entry in entries[:4]] == ["Does it.", "Waits.", "A thing.\n\nOf a size.", "How large."]
    assert module.starred == ["_socket"]
    assert module.taken["get_ident"] == ("_thread", "get_ident")
    assert module.taken["again"] == module.taken["plus"] == ("_operator", "add")
    assert module.taken["helper"] == (".sub", "helper")
    assert module.exported is None


@pytest.mark.parametrize(
    ("source", "exported", "computed"),
    [
        ("x = 1", None, False),
        ("__all__ = ()", set(), False),
        ("__all__ = ['a', 'b']\n__all__ += ['c']", {"a", "b", "c"}, False),
        ("__all__ = ['a']\n__all__.extend(x.__all__)", {"a"}, True),
        ("__all__ = a.__all__ + b.__all__", set(), True),
        ("__all__ = [name for name in names]", set(), True),
    ],
)
def test_what_a_module_exports(tmp_path: Path, source: str, exported: set[str] | None, computed: bool) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    module = parse_module(path)
    assert (module.exported, module.computed) == (exported, computed)


def test_a_package_gives_what_its_own_modules_define(tmp_path: Path) -> None:
    package = tmp_path / "json"
    package.mkdir()
    (package / "__init__.py").write_text("from .sub import *\nfrom . import sub\nfrom os import path\nloop = sub")
    (package / "sub.py").write_text("from json import loop\ndef given(x): 'Given.'\ndef _kept(): 'No.'")
    (package / "other.py").write_text("def alone(): 'Alone.'")
    library = _Library(tmp_path)
    found = {document.id for document in library.documents() if str(document.metadata["module"]).startswith("json")}
    assert found == {"json.given", "json.other.alone"}


def test_a_library_without_sources_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"no source files below {tmp_path}"):
        _Library(tmp_path).documents()


def test_only_extensions_are_imported() -> None:
    assert import_extension("json") is None
    assert import_extension("no_such_module") is None
    assert import_extension("readline") is None
    time = import_extension("time")
    assert time is not None
    assert "sleep" in public_names(time)
    (sleep,) = inspect_name(time, "sleep")
    assert (sleep.name, sleep.kind) == ("sleep", "function")
    assert inspect_name(time, "timezone") == []
    assert Entry("A.b", "method", "()", "x").renamed("A", "B").name == "B.b"
