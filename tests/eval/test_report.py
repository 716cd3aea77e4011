"""Reports: every format tells the same, text is escaped, and the page needs nothing but itself."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from eval_help import record

from lsr.errors import EvaluationError
from lsr.eval.comparison import Comparison
from lsr.eval.cost import Cost
from lsr.eval.published import Published
from lsr.eval.report import FORMATS, Report, build_report, render, write_report

NASTY = 'a<b> & "c" | $d_e$ % #\\f{g}~^\nh'


def _report(**others: object) -> Report:
    generator = np.random.default_rng(3)
    base = generator.beta(2, 2, 80)
    records = []
    for name in ("scifact", "med"):
        records.append(
            record("base", name, base.tolist(), cost=Cost(p50_ms=0.2, index_bytes=1000, terms_per_document=90.0))
        )
        better = np.clip(base + generator.normal(0.06, 0.05, 80), 0, 1).tolist()
        cost = Cost(p50_ms=1.5, index_bytes=30_000_000, terms_per_document=240.0)
        records.append(record(NASTY, name, better, cost=cost, texts={"q0": f"text {NASTY}"}))
    return build_report(Comparison(records, resamples=199), **others)  # type: ignore[arg-type]


class _Page(HTMLParser):
    """Checks that tags close in order, and gathers attributes that would load something."""

    void = frozenset({"meta", "br", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)
        self._look(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(attrs)

    def _look(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "action") and not (value or "").startswith("#"):
                self.loads.append(f"{name}={value}")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    page = render(_report(), ".html")
    reader = _Page()
    reader.feed(page)
    assert reader.open == []
    assert reader.loads == []
    assert len(reader.ids) == len(set(reader.ids))
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert page.count("<svg") == 3  # quality, queries, cost
    assert "prefers-color-scheme: dark" in page
    assert "currentColor" in page
    assert "#010203" not in page
    assert "<b>" in page
    assert NASTY.split("\n")[0] not in page
    assert "a&lt;b&gt; &amp;" in page


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    render(_report(), ".html")
    assert dict(matplotlib.rcParams) == before


def test_the_same_comparison_gives_the_same_page() -> None:
    assert render(_report(), ".html") == render(_report(), ".html")


def test_markdown_has_rows_of_equal_length_whatever_the_names_hold() -> None:
    text = render(_report(), ".md")
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) >= 5
    for table in tables:
        cells = [len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()]
        assert len(set(cells)) == 1, table
    assert "↑" in text
    assert "BEIR" not in text  # two sets make no average of BEIR's
    assert "mean of 2 sets (scifact, med)" in text


def test_latex_is_balanced_and_escaped() -> None:
    text = render(_report(), ".tex")
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3
    body = text.replace(r"\{", "").replace(r"\}", "")
    assert body.count("{") == body.count("}")
    for row in (line for line in text.splitlines() if line.endswith(r"\\") and "&" in line):
        assert not re.search(r"(?<!\\)[#%_]", row), row
    assert r"\textbackslash{}f\{g\}" in text
    assert r"$^{\uparrow}$" in text


def test_json_holds_all_that_was_found() -> None:
    found = json.loads(render(_report(), ".json"))
    assert found["systems"] == ["base", NASTY]
    assert len(found["differences"]) == 2
    assert all(difference["significant"] for difference in found["differences"])
    assert found["results"][0]["p50_ms"] == 0.2


def test_published_figures_stand_beside_and_are_not_tested() -> None:
    published = [Published("bm25-flat", "nDCG@10", "somebody", {"scifact": 0.6789})]
    text = render(_report(published=published), ".md")
    assert "bm25-flat (published)" in text
    assert re.search(r"\| scifact \|.*\| 0\.6789 \|", text)
    assert re.search(r"\| med \|.*\| – \|", text)
    assert "bm25-flat: somebody." in text


def test_one_system_without_costs_is_a_report_too() -> None:
    report = build_report(Comparison([record("alone", "s", [0.1, 0.2])]))
    assert [section.title for section in report.sections] == ["Quality", "Provenance"]
    for suffix in FORMATS:
        assert "alone" in render(report, suffix)


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    report = build_report(Comparison([record("alone", "s", [0.1, 0.2])]))
    for suffix in FORMATS:
        write_report(tmp_path / f"deep/r{suffix}", report)
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["r.html", "r.json", "r.md", "r.tex"]
    with pytest.raises(EvaluationError, match=r"suffix '\.pdf'"):
        write_report(tmp_path / "r.pdf", report)
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="cannot write"):
        write_report(tmp_path / "file" / "r.md", report)
