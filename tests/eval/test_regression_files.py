"""The project's own expected figures, on the collections that are here: none may be off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lsr.eval.regressions import Verdict, parse, run_regressions

FILES = sorted((Path(__file__).parents[2] / "eval" / "regressions").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_figures_come_out_again(file: Path, beir: Callable[[str], Path]) -> None:
    folder = beir(file.stem)
    report = run_regressions([file], folder.parents[1])
    assert len(report.outcomes) == len(parse(file))
    assert [str(outcome) for outcome in report.outcomes if outcome.verdict is not Verdict.OK] == []
