"""A report as Markdown."""

from __future__ import annotations

from lsr.eval.report.content import Cell, Report, Table

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>|#"})


def markdown(report: Report) -> str:
    """The whole report; tables in the pipe syntax of GitHub."""
    parts = [f"# {_escape(report.title)}", *(f"- {_escape(sentence)}" for sentence in report.summary)]
    blocks = ["\n".join([parts[0], "", *parts[1:]])]
    for section in report.sections:
        blocks.append(f"## {_escape(section.title)}")
        blocks += [_escape(sentence) for sentence in section.sentences]
        blocks += [_table(table) for table in section.tables]
    return "\n\n".join(blocks) + "\n"


def _table(table: Table) -> str:
    align = ["---" if place < table.labels else "---:" for place in range(len(table.header))]
    lines = [f"**{_escape(table.title)}**", "", _row([_escape(name) for name in table.header]), _row(align)]
    lines += [_row([_cell(cell) for cell in row]) for row in table.rows]
    if table.note:
        lines += ["", f"_{_escape(table.note)}_"]
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = _escape(cell.text)
    return f"{f'**{text}**' if cell.bold else text}{cell.mark}"


def _escape(text: str) -> str:
    return " ".join(text.translate(_SPECIAL).split())
