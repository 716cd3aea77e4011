"""Without the extra `eval`, what needs it says so, and the rest of the room still imports."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_collection import write_collection

from lsr.errors import MissingExtraError
from lsr.eval import evaluate_encoder, load_collection, measure_run
from lsr.eval.regressions import parse


def _needing(library: str, folder: Path) -> Callable[[], object]:
    collection = load_collection(write_collection(folder / "birds"))
    (folder / "x.yaml").write_text("[]")
    uses: dict[str, Callable[[], object]] = {
        "ir_measures": lambda: measure_run({}, {"q": {"d": 1}}),
        "ir_datasets": lambda: load_collection("beir/scifact/test"),
        "yaml": lambda: parse(folder / "x.yaml"),
        "scipy.sparse": lambda: evaluate_encoder("bm25", collection, scoring="float"),
    }
    return uses[library]


@pytest.mark.parametrize("library", ["ir_measures", "ir_datasets", "yaml", "scipy.sparse"])
def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    use = _needing(library, tmp_path)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"lsr-engine\[eval\]"):
        use()
