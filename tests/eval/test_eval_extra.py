"""Without the extra `eval`, what needs it says so, and the rest of the room still imports."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from eval_help import record
from tiny_collection import write_collection

from lsr.errors import MissingExtraError
from lsr.eval import evaluate_encoder, load_collection, measure_run
from lsr.eval.comparison import Comparison
from lsr.eval.frames import frame
from lsr.eval.regressions import parse
from lsr.eval.report.figures import draw
from lsr.eval.significance import paired_test
from lsr.eval.systems.bm25s import bm25s_system


def _needing(library: str, folder: Path) -> Callable[[], object]:
    collection = load_collection(write_collection(folder / "birds"))
    (folder / "x.yaml").write_text("[]")
    uses: dict[str, Callable[[], object]] = {
        "ir_measures": lambda: measure_run({}, {"q": {"d": 1}}),
        "ir_datasets": lambda: load_collection("beir/scifact/test"),
        "yaml": lambda: parse(folder / "x.yaml"),
        "scipy.sparse": lambda: evaluate_encoder("bm25", collection, scoring="float"),
        "scipy.stats": lambda: paired_test([0.1, 0.2], [0.2, 0.3]),
        "pandas": lambda: frame([{"a": 1}]),
        "matplotlib": lambda: draw("quality", Comparison([record("a", "s", [0.1, 0.2])])),
        "bm25s": lambda: bm25s_system(collection, {}, None),
    }
    return uses[library]


@pytest.mark.parametrize(
    "library", ["ir_measures", "ir_datasets", "yaml", "scipy.sparse", "scipy.stats", "pandas", "matplotlib", "bm25s"]
)
def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    use = _needing(library, tmp_path)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"lsr-engine\[eval\]"):
        use()


def test_without_pyterrier_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lsr.engine.index import Index
    from lsr.eval.pyterrier import retriever

    monkeypatch.setitem(sys.modules, "pyterrier", None)
    with (
        Index.create(tmp_path / "index", encoder="bm25") as index,
        pytest.raises(MissingExtraError, match=r"lsr-engine\[pyterrier\]"),
    ):
        retriever(index)
