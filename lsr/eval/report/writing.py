"""Which formats a report has, and writing one, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from lsr.errors import EvaluationError
from lsr.eval.report.content import Report


def _json(report: Report) -> str:
    content = {"title": report.title, "summary": list(report.summary), **report.comparison.to_dict()}
    content["published"] = [
        {"name": one.name, "measure": one.measure, "source": one.source, "values": one.values}
        for one in report.published
    ]
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _markdown(report: Report) -> str:
    from lsr.eval.report.markdown import markdown

    return markdown(report)


def _latex(report: Report) -> str:
    from lsr.eval.report.latex import latex

    return latex(report)


def _html(report: Report) -> str:
    from lsr.eval.report.html import html

    return html(report)


#: Suffix -> what writes the format.
FORMATS: dict[str, Callable[[Report], str]] = {".md": _markdown, ".tex": _latex, ".json": _json, ".html": _html}


def render(report: Report, suffix: str) -> str:
    """The report in the format of a suffix.

    Raises
    ------
    EvaluationError
        No format has that suffix.
    MissingExtraError
        Figures are to be drawn and matplotlib is not installed.
    """
    if suffix not in FORMATS:
        raise EvaluationError(f"no report has the suffix {suffix!r}", remedy=f"Choose one of {', '.join(FORMATS)}")
    return FORMATS[suffix](report)


def write_report(path: str | Path, report: Report) -> None:
    """Write the report in the format of the path's suffix: .md, .tex, .json or .html.

    Raises what `render` raises, and EvaluationError where the file cannot be written.
    """
    place = Path(path)
    text = render(report, place.suffix.lower())
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(place)
    except OSError as error:
        raise EvaluationError(f"cannot write {place}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
