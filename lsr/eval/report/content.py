"""What a report says, as tables and sentences, before any format: one source for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lsr.eval.comparison import Comparison, Difference
from lsr.eval.published import Published

#: Marks of a significant difference from the baseline.
BETTER, WORSE = "↑", "↓"

_SIGNIFICANT = (
    f"{BETTER} {WORSE}: better or worse than {{baseline}} with p < .05 by the paired t test and by the randomisation "
    "test, both after Holm's correction over {tests} tests of the measure. Bold: the best of what was run."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a text, perhaps bold, perhaps with a mark behind it."""

    text: str
    bold: bool = False
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.text}{self.mark}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first `labels` columns are names and set left, the others are figures and set right.

    `rules` are the numbers of rows before which a line is drawn.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    labels: int = 1
    rules: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with sentences and tables under it; `figures` names those that formats with pictures draw here."""

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison, told."""

    title: str
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    comparison: Comparison
    published: tuple[Published, ...] = field(default=())


def build_report(
    comparison: Comparison, *, published: Sequence[Published] = (), most: int = 10, title: str = ""
) -> Report:
    """All that a comparison has to tell.

    Parameters
    ----------
    comparison : Comparison
    published : sequence of Published
        Figures of others, as further columns; they are not tested.
    most : int
        Queries that are shown of each set and pair.
    title : str
        By default it names systems and sets.
    """
    what = " and ".join([_listed(comparison.systems), f"{_count(comparison.sets, 'set')}"])
    sections = [
        Section(
            "Quality",
            tables=tuple(_quality(comparison, measure, published) for measure in comparison.measures),
            figures=("quality",),
        )
    ]
    if comparison.differences:
        sections.append(_differences(comparison))
    if any(record.cost is not None for record in comparison.records.values()):
        sections.append(_cost(comparison))
    if comparison.pairs and most:
        sections.append(_queries(comparison, most))
    sections.append(_provenance(comparison, published))
    return Report(title or f"Comparison of {what}", _summary(comparison), tuple(sections), comparison, tuple(published))


def _summary(comparison: Comparison) -> tuple[str, ...]:
    measure = comparison.measures[0]
    said = []
    for system, baseline in comparison.pairs:
        found = [
            difference
            for difference in comparison.differences
            if (difference.system, difference.baseline, difference.measure) == (system, baseline, measure)
        ]
        better = sum(d.significant() and d.test.difference > 0 for d in found)
        worse = sum(d.significant() and d.test.difference < 0 for d in found)
        said.append(
            f"{system} against {baseline} by {measure}: significantly better on {better} of "
            f"{_count(found, 'set')}, worse on {worse}, no difference shown on {len(found) - better - worse}."
        )
    return (*said, *(f"{note[:1].upper()}{note[1:]}." for note in comparison.notes))


def _quality(comparison: Comparison, measure: str, published: Sequence[Published]) -> Table:
    columns = [column for column in published if column.measure == measure]
    rows, rules = [], []
    for name in comparison.sets:
        values = {system: comparison.value(name, system, measure) for system in comparison.systems}
        cells = _best(values)
        marked = [
            Cell(cell.text, cell.bold, _mark(comparison.difference(name, system, measure)))
            for system, cell in cells.items()
        ]
        rows.append((Cell(name), *marked, *(Cell(_figure(column.values.get(name))) for column in columns)))
    averages = comparison.averages(measure)
    if averages:
        rules.append(len(rows))
    for average in averages:
        cells = _best({system: average.values.get(system) for system in comparison.systems})
        others = [Cell(_figure(column.mean(average.sets))) for column in columns]
        rows.append((Cell(average.name), *cells.values(), *others))
    tests = sum(difference.measure == measure for difference in comparison.differences)
    note = _SIGNIFICANT.format(baseline=comparison.baseline, tests=tests) if tests else ""
    if columns:
        note += " Published: " + " ".join(f"{column.name}: {column.source}." for column in columns)
    header = ("set", *comparison.systems, *(f"{column.name} (published)" for column in columns))
    return Table(measure, header, tuple(rows), note.strip(), 1, tuple(rules))


def _differences(comparison: Comparison) -> Section:
    rows = []
    for found in comparison.differences:
        test = found.test
        rows.append(
            (
                *(Cell(text) for text in (found.measure, found.set, found.system, found.baseline)),
                Cell(f"{test.difference:+.4f}", mark=_mark(found), bold=found.significant()),
                Cell(f"{test.low:+.4f} … {test.high:+.4f}"),
                Cell(f"{test.wins}/{test.ties}/{test.losses}"),
                *(Cell(_p(p)) for p in (test.t_p, found.t_holm, test.permutation_p, found.permutation_holm)),
            )
        )
    header: tuple[str, ...] = ("measure", "set", "system", "against", "difference", "95 % interval", "win/tie/loss")
    header += ("t: p", "t: Holm", "perm.: p", "perm.: Holm")
    note = (
        "Paired by query, two-sided. Intervals: percentile bootstrap over queries. "
        f"Randomisation test and bootstrap: {comparison.resamples:,} resamples, seed {comparison.seed}. "
        "Holm's correction spans all tests of a measure."
    )
    return Section("Significance", tables=(Table("Differences", header, tuple(rows), note, 4),), figures=("queries",))


def _cost(comparison: Comparison) -> Section:
    header: tuple[str, ...] = (
        "set",
        "system",
        comparison.measures[0],
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU ms",
        "queries/s",
    )
    header += ("index MB", "bytes/doc", "terms/doc", "terms/query", "FLOPS", "docs/s indexed")
    rows = []
    for (name, system), record in comparison.records.items():
        cost = record.cost
        if cost is None:
            continue
        rows.append(
            (
                *(Cell(name), Cell(system), Cell(_figure(record.measures[comparison.measures[0]]))),
                *(Cell(_number(value, 3)) for value in (cost.p50_ms, cost.p95_ms, cost.p99_ms, cost.cpu_ms)),
                Cell(_number(cost.queries_per_second, 0)),
                Cell(_number(None if cost.index_bytes is None else cost.index_bytes / 1e6, 2)),
                *(Cell(_number(value, 1)) for value in (cost.bytes_per_document, cost.terms_per_document)),
                *(Cell(_number(value, 2)) for value in (cost.terms_per_query, cost.flops)),
                Cell(_number(cost.encode_documents_per_second, 0)),
            )
        )
    note = (
        "Latency: wall time of one query on one thread, warm, text to ids; CPU: mean of the same. FLOPS: postings of a "
        "query's terms over documents. Index: what a search reads, without stored texts."
    )
    return Section("Cost", tables=(Table("Cost", header, tuple(rows), note, 2),), figures=("cost",))


def _queries(comparison: Comparison, most: int) -> Section:
    measure = comparison.measures[0]
    tables = []
    for system, baseline in comparison.pairs:
        for name in comparison.sets:
            found = comparison.query_differences(name, system, measure, most=most, baseline=baseline)
            rows = tuple(
                (
                    Cell(one.query),
                    Cell(shortened(one.text)),
                    Cell(_figure(one.baseline_value)),
                    Cell(_figure(one.value)),
                    Cell(f"{one.difference:+.4f}"),
                )
                for one in found
            )
            if rows:
                title = f"{name}: {system} against {baseline}"
                tables.append(Table(title, ("query", "text", baseline, system, "difference"), rows, "", 2))
    note = f"By {measure}. lsr eval explain QUERY shows why a judged document ranks where it does."
    return Section("Queries on which systems differ most", (note,), tuple(tables))


def _provenance(comparison: Comparison, published: Sequence[Published]) -> Section:
    rows = []
    for (name, system), record in comparison.records.items():
        told = record.provenance
        git = told.get("git") or {}
        commit = f"{git['commit'][:10]}{' (changed)' if git.get('dirty') else ''}" if git else "–"
        cells = (name, system, told.get("date"), told.get("lsr"), commit, told.get("cpu"), told.get("threads"))
        settings = told.get("system", {})
        what = settings.get("fingerprint") or settings.get("version") or settings.get("pyserini") or settings.get("run")
        rows.append(tuple(Cell(str(cell) if cell else "–") for cell in (*cells, str(what)[:12] if what else None)))
    header = ("set", "system", "date", "lsr", "commit", "CPU", "threads", "fingerprint or version")
    warnings = [
        f"{system} on {name}: {warning}."
        for (name, system), record in comparison.records.items()
        for warning in record.warnings
    ]
    return Section("Provenance", tuple(dict.fromkeys(warnings)), (Table("Runs", header, tuple(rows), "", 8),))


def _best(values: Mapping[str, float | None]) -> dict[str, Cell]:
    """Cells of one row, the best in bold; equal to four decimals is equally good."""
    there = [round(value, 4) for value in values.values() if value is not None]
    best = max(there, default=None)
    return {
        system: Cell(_figure(value), bold=len(there) > 1 and value is not None and round(value, 4) == best)
        for system, value in values.items()
    }


def _mark(difference: Difference | None) -> str:
    if difference is None or not difference.significant():
        return ""
    return BETTER if difference.test.difference > 0 else WORSE


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:,.{decimals}f}"


def _p(value: float) -> str:
    return "<.0001" if value < 0.0001 else f"{value:.4f}"


def shortened(text: str, width: int = 90) -> str:
    """A text on one line, cut where it is longer than `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _count(things: Sequence[Any], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    return _count(names, "system") if len(names) > 3 else ", ".join(names)
