"""The short form of every fault; `make faults` is the full one."""

from __future__ import annotations

import pytest

from faults.__main__ import FAULTS, run, table


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str) -> None:
    figures = run([name], quick=True)
    if reason := figures[name].get("skipped"):
        pytest.skip(str(reason))
    assert FAULTS[name][1] in table(figures, quick=True)
