"""TREC's tagged text: documents between <DOC> tags, topics between <top> tags.

The tags are those of TREC's newswire disks and ad hoc tracks; it is not XML (no root, bare ampersands), so it is read
by its tags. Knows nothing of judgements.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from lsr.documents import Document
from lsr.errors import EvaluationError

_TAG = re.compile(r"<[^>]*>")
_TITLES, _TEXTS = ("title", "headline", "head", "hl", "ti"), ("text", "body", "abstract", "leadpara", "contents")


def read_trec_documents(path: Path) -> Iterator[Document]:
    """The documents of a file, streaming; newswire of before UTF-8 is read as Latin-1.

    Raises
    ------
    EvaluationError
        A document without a number or an end; the message names the line where it begins. No document at all.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}") from None
    lines: list[bytes] = []
    began, found = 0, False
    with raw:
        for number, line in enumerate(raw, 1):
            if line.strip().lower() == b"<doc>":
                if began:
                    raise EvaluationError(f"{path}, line {began}: the document has no </DOC>")
                began, lines = number, []
            elif line.strip().lower() == b"</doc>":
                if not began:
                    raise EvaluationError(f"{path}, line {number}: </DOC> without <DOC>")
                yield _document(b"".join(lines), f"{path}, line {began}")
                began, found = 0, True
            elif began:
                lines.append(line)
    if began:
        raise EvaluationError(f"{path}, line {began}: the document has no </DOC>")
    if not found:
        raise EvaluationError(f"{path} holds no <DOC>", remedy="TREC documents stand between <DOC> and </DOC>")


def _document(raw: bytes, where: str) -> Document:
    try:
        content = raw.decode("utf-8")
    except UnicodeDecodeError:
        content = raw.decode("latin-1")
    number = _element(content, ("docno",))
    if not number:
        raise EvaluationError(f"{where}: the document has no <DOCNO>")
    title, text = _element(content, _TITLES), _element(content, _TEXTS)
    if not text:  # whatever stands there without its number and title
        rest = re.sub(rf"(?is)<({'|'.join(('docno', *_TITLES))})>.*?</\1>", " ", content)
        text = _plain(rest)
    return Document(number, text, title)


def read_trec_topics(text: str, path: Path) -> dict[str, str]:
    """Topic number -> title, of the classic form (closed tags or not).

    Raises
    ------
    EvaluationError
        A topic without number or title.
    """
    found: dict[str, str] = {}
    for place, block in enumerate(re.split(r"(?i)<top>|<topic\b[^>]*>", text)[1:], 1):
        number = re.search(r"(?i)<num>\s*(?:number\s*:)?\s*([^\s<]+)", block)
        title = re.search(r"(?is)<title>\s*(?:topic\s*:)?\s*(.*?)(?=<|\n\s*\n|\Z)", block)
        if number is None or title is None or not title[1].strip():
            raise EvaluationError(f"{path}, topic {place}: no <num> and <title>")
        found[number[1]] = _plain(title[1])
    return found


def _element(content: str, names: tuple[str, ...]) -> str:
    """The texts of all elements of these names, in order, joined by a blank."""
    parts = re.findall(rf"(?is)<({'|'.join(names)})>(.*?)</\1>", content)
    return " ".join(filter(None, (_plain(inner) for _, inner in parts)))


def _plain(marked: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", marked)).split())
