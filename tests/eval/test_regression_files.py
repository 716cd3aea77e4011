"""The project's own expected figures, on the collections that are here: none may be off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lsr.eval.regressions import Verdict, parse, run_regressions

FOLDER = Path(__file__).parents[2] / "eval" / "regressions"
#: One file a set that a checkout may have; public.yaml is for sets that are downloaded.
FILES = [file for file in sorted(FOLDER.glob("*.yaml")) if file.stem != "public"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_figures_come_out_again(file: Path, beir: Callable[[str], Path]) -> None:
    folder = beir(file.stem)
    report = run_regressions([file], folder.parents[1])
    assert len(report.outcomes) == len(parse(file))
    assert [str(outcome) for outcome in report.outcomes if outcome.verdict is not Verdict.OK] == []


def test_public_sets_are_skipped_where_they_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path))
    report = run_regressions([FOLDER / "public.yaml"])
    assert not report.passed
    assert {outcome.verdict for outcome in report.outcomes} == {Verdict.SKIPPED}
    assert "lsr datasets get" in report.outcomes[0].reason
