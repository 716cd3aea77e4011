"""Agreement of runs, by hand; and with Anserini where it is installed (`make anserini`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_collection import write_collection

from lsr.encoders.settings import Setting
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval import load_collection
from lsr.eval.agreement import agreement
from lsr.eval.evaluate import evaluate_system
from lsr.eval.systems import open_system, parse_system
from lsr.eval.systems.anserini import find_anserini

ROOT = Path(__file__).parents[2]


def test_sets_lists_and_gaps() -> None:
    first = {
        "same": [("a", 3.0), ("b", 2.0)],
        "swapped": [("a", 3.0), ("b", 2.0)],
        "near": [("a", 3.0), ("b", 2.0), ("c", 1.9)],
        "lost": [("a", 3.0), ("b", 2.0)],
    }
    second = {
        "same": [("a", 9.0), ("b", 1.0)],
        "swapped": [("b", 3.0), ("a", 2.0)],
        "near": [("a", 3.0), ("c", 2.0), ("b", 1.9)],
    }
    found = agreement(first, second, k=2)
    assert (found.queries, found.same_sets, found.same_lists, found.depth) == (4, 2, 1, 3)
    assert found.share == 0.5
    near, lost = found.disagreements
    assert (near.query, near.only_first, near.only_second) == ("near", ("b",), ("c",))
    assert near.gap == pytest.approx(0.1 / 2.0)
    assert lost.only_first == ("a", "b")
    assert lost.gap == pytest.approx(0.5)
    assert found.widest_gap == pytest.approx(0.5)
    other = agreement({"q": [("a", 1.0)]}, {"q": [("x", 1.0)]})
    assert (other.disagreements[0].gap, other.widest_gap) == (None, None)
    assert agreement({}, {}).share == 1.0


@pytest.fixture(scope="module")
def anserini() -> None:
    """Skips without pyserini and a Java of 21 or later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        try:
            find_anserini()
        except EvaluationError as error:
            pytest.skip(f"needs Anserini: {error}")


@pytest.mark.slow
@pytest.mark.usefixtures("anserini")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("bm25,scoring=float", "anserini-bm25,analyzer=english,accurate=true"),
        ("bm25", "anserini-impact,encoder=bm25"),
        ("splade-tiny-doc", "anserini-impact,encoder=splade-tiny-doc"),
    ],
)
def test_anserini_serves_the_same(
    ours: str, theirs: str, beir: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    collection = load_collection(beir("adi"))
    runs = []
    for text in (ours, theirs):
        with open_system(parse_system(text), collection) as (system, _):
            runs.append(evaluate_system(system, collection).run)
    found = agreement(*runs)
    assert found.share >= 0.99
    assert found.same_lists == found.queries


def test_without_anserini_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = load_collection(write_collection(tmp_path / "c"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LSR_ANSERINI_PYTHON", str(tmp_path / "nothing"))
    with (
        pytest.raises(EvaluationError, match="make anserini"),
        open_system(parse_system("anserini-bm25"), collection),
    ):
        pass
    monkeypatch.delenv("LSR_ANSERINI_PYTHON")
    with pytest.raises(EvaluationError, match=r"has no pyserini.*make anserini"):  # this interpreter
        find_anserini()


@pytest.mark.usefixtures("anserini")
def test_settings_that_anserini_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    collection = load_collection(write_collection(tmp_path / "c"))
    spec = parse_system("anserini-bm25")
    cases: list[tuple[dict[str, Setting], str]] = [
        ({"k2": 1}, "no setting 'k2'"),
        ({"accurate": True}, "of our own words"),
    ]
    for settings, message in cases:
        with (
            pytest.raises(InvalidSettingError, match=message),
            open_system(replace(spec, settings=settings), collection),
        ):
            pass
