"""A comparison as a document: Markdown, LaTeX, JSON, HTML with figures, or a terminal's tables."""

from lsr.eval.report.content import Cell, Report, Section, Table, build_report
from lsr.eval.report.writing import FORMATS, render, write_report

__all__ = ["FORMATS", "Cell", "Report", "Section", "Table", "build_report", "render", "write_report"]
