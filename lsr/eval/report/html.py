"""A report as one HTML file that needs nothing else: styles and figures are in it, and it reads on light and dark."""

from __future__ import annotations

from html import escape

from lsr.eval.report.content import BETTER, WORSE, Cell, Report, Section, Table
from lsr.eval.report.figures import draw

#: Characters from which on a label may be broken into lines.
_LONG = 40

_CLASSES = {BETTER: "better", WORSE: "worse"}

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --paper: #ffffff; --line: #d9d9e0;
  --band: #f5f6f8; --better: #0b7a55; --worse: #c0262d; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a4a9b1; --paper: #16181c; --line: #3a3f47;
  --band: #1f2228; --better: #4cc38a; --worse: #ff8589; --link: #8ab4f8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 84rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); }
nav { color: var(--soft); margin: 1rem 0; } nav a { color: var(--link); margin-right: 1rem; }
ul.summary { padding-left: 1.1rem; } ul.summary li { margin: .2rem 0; }
.scroll { overflow-x: auto; margin: 1rem 0 .25rem; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; min-width: 24rem; }
caption { text-align: left; font-weight: 600; font-size: .95rem; padding: .25rem 0 .4rem; }
th, td { padding: .28rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th.label, td.label { text-align: left; } td.long { white-space: normal; min-width: 18rem; max-width: 34rem; }
thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
tbody tr:hover { background: var(--band); } tr.rule td { border-top: 2px solid var(--soft); }
.better { color: var(--better); } .worse { color: var(--worse); } .mark { display: inline-block; width: .8em; }
p.note, figcaption { color: var(--soft); font-size: .85rem; max-width: 60rem; margin: .35rem 0 1.25rem; }
figure { margin: 1.25rem 0; } figure svg { max-width: 100%; height: auto; color: var(--ink); }
figure svg text { font-family: system-ui, sans-serif !important; }
"""


def html(report: Report) -> str:
    """The whole page.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    links = "".join(f'<a href="#s{n}">{escape(section.title)}</a>' for n, section in enumerate(report.sections))
    summary = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.summary)
    sections = "\n".join(_section(number, section, report) for number, section in enumerate(report.sections))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(report.title)}</h1>\n<ul class="summary">{summary}</ul>\n<nav>{links}</nav>\n'
        f"{sections}\n</main>\n</body>\n</html>\n"
    )


def _section(number: int, section: Section, report: Report) -> str:
    parts = [f'<section id="s{number}">', f"<h2>{escape(section.title)}</h2>"]
    parts += [f"<p>{escape(sentence)}</p>" for sentence in section.sentences]
    tables = [_table(table) for table in section.tables]
    figures = [
        f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        for name in section.figures
        for caption, svg in draw(name, report.comparison)
    ]
    return "\n".join([*parts, *tables[:1], *figures, *tables[1:], "</section>"])


def _table(table: Table) -> str:
    head = "".join(f"<th{_label(place, table)}>{escape(name)}</th>" for place, name in enumerate(table.header))
    rows = []
    for number, row in enumerate(table.rows):
        cells = "".join(
            f"<td{_label(place, table, cell)}>{_cell(cell, place, table)}</td>" for place, cell in enumerate(row)
        )
        rule = ' class="rule"' if number in table.rules else ""
        rows.append(f"<tr{rule}>{cells}</tr>")
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    body = "\n".join(rows)
    return (
        f'<div class="scroll"><table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>{note}"
    )


def _label(place: int, table: Table, cell: Cell | None = None) -> str:
    if place >= table.labels:
        return ""
    return ' class="label long"' if cell is not None and len(cell.text) > _LONG else ' class="label"'


def _cell(cell: Cell, place: int, table: Table) -> str:
    text = escape(cell.text)
    if cell.bold:
        text = f"<b>{text}</b>"
    if place < table.labels:
        return text
    marked = any(other.mark for row in table.rows for other in row)
    if not marked:
        return text
    return f'{text}<span class="mark {_CLASSES.get(cell.mark, "")}">{escape(cell.mark)}</span>'
