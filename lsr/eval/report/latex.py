"""A report's tables as LaTeX, with booktabs; to be read into a paper."""

from __future__ import annotations

from lsr.eval.report.content import BETTER, WORSE, Cell, Report, Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "–": "--",
    "…": r"\ldots{}",
    BETTER: r"$\uparrow$",
    WORSE: r"$\downarrow$",
}
_MARKS = {BETTER: r"$^{\uparrow}$", WORSE: r"$^{\downarrow}$", "": ""}
_TABLE = str.maketrans(_SPECIAL)

#: Tables of a paper; provenance and single queries are for the other formats.
_SECTIONS = ("Quality", "Significance", "Cost")


def latex(report: Report) -> str:
    """One `table` environment for each table of quality, significance and cost."""
    lines = [r"% needs \usepackage{booktabs}", f"% {' '.join(report.title.split())}"]
    for section in report.sections:
        if section.title in _SECTIONS:
            lines += [_table(table) for table in section.tables]
    return "\n\n".join(lines) + "\n"


def _table(table: Table) -> str:
    align = "l" * table.labels + "r" * (len(table.header) - table.labels)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{_escape(table.title)}}}"]
    lines += [
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        _row([_escape(name) for name in table.header]),
        r"\midrule",
    ]
    for number, row in enumerate(table.rows):
        if number in table.rules:
            lines.append(r"\midrule")
        lines.append(_row([_cell(cell) for cell in row]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    if table.note:
        lines.append(rf"\\[1ex] \footnotesize {_escape(table.note)}")
    return "\n".join([*lines, r"\end{table}"])


def _row(cells: list[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(cell: Cell) -> str:
    text = _escape(cell.text)
    return (rf"\textbf{{{text}}}" if cell.bold else text) + _MARKS.get(cell.mark, cell.mark)


def _escape(text: str) -> str:
    return " ".join(text.split()).translate(_TABLE)
