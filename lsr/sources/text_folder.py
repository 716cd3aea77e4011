"""Text files as documents: a folder of `.txt` and `.md` files, or one such file.

The id is the path within the folder. The title is a Markdown file's first heading (or the title of its front matter),
else the file's name. Hidden files and folders are passed over, and links to folders are not followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lsr.documents import Document
from lsr.errors import MalformedDocumentError, SourceError
from lsr.sources.lines import MAX_DOCUMENT, decode
from lsr.sources.streams import Progress, open_stream
from lsr.sources.values import flaw_of_text

COMPRESSED = (".gz", ".zst")
MARKDOWN = (".md", ".markdown")
TEXT = (".txt", *MARKDOWN)

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?\n)?(---|\.\.\.)[ \t]*(\r?\n|$)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_UNDERLINE = re.compile(r" {0,3}(=+|--+)[ \t]*$")


def text_files(folder: Path) -> list[Path]:
    """The text files below a folder, in the order of their paths within it.

    Raises
    ------
    OSError
        A folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if not name.startswith(".") and _is_text(name)]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def read_text_files(
    folder: Path, files: list[Path], source: str, progress: Progress
) -> Iterator[Document | MalformedDocumentError]:
    """One document a file, or what is wrong with it. `folder` is what ids are relative to."""
    for path in files:
        identity = path.relative_to(folder).as_posix()
        name = f"{source}/{identity}" if path != Path(source) else source
        try:
            with open_stream(path, name, progress) as stream:
                data = stream.read(MAX_DOCUMENT + 1)
        except SourceError as error:
            reason = error.message.removeprefix(f"{name} ").removeprefix(f"{path} ")
            yield MalformedDocumentError(name, None, reason, remedy=error.remedy)
            continue
        try:
            yield _document(identity, data, name)
        except MalformedDocumentError as error:
            yield error


def _document(identity: str, data: bytes, name: str) -> Document:
    if len(data) > MAX_DOCUMENT:
        raise MalformedDocumentError(name, None, f"the text is longer than {MAX_DOCUMENT >> 20} MiB")
    text = decode(data, name, 1).removeprefix("\ufeff")
    for what, string in (("the text", text), ("the file's name", identity)):
        if flaw := flaw_of_text(string):
            raise MalformedDocumentError(name, None, f"{what} {flaw}")
    file_name = PurePosixPath(identity)
    if file_name.suffix.lower() in COMPRESSED:
        file_name = file_name.with_suffix("")
    title = ""
    if file_name.suffix.lower() in MARKDOWN:
        title, text = split_heading(text)
    return Document(id=identity, text=text.strip(), title=title or file_name.stem)


def split_heading(text: str) -> tuple[str, str]:
    """The title of a Markdown text and the text without it; "" and the whole text where it has none."""
    if (front := _FRONT_MATTER.match(text)) and (title := _FRONT_TITLE.search(front[1] or "")):
        return title[1].strip("\"'"), text[front.end() :]
    begin = front.end() if front else 0
    lines = text[begin:].splitlines(keepends=True)
    fence = ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence or mark:
            # Within a fence a # begins a comment of some language.
            if mark and (not fence or mark[1].startswith(fence)):
                fence = "" if fence else mark[1]
            continue
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if heading := _HEADING.match(line.rstrip("\r\n")):
            if heading[1]:
                return heading[1], "".join(lines[:number] + lines[number + 1 :])
        elif line.strip() and _UNDERLINE.match(below.rstrip("\r\n")) and not line.startswith(("    ", "\t", "-", "|")):
            return line.strip(), "".join(lines[:number] + lines[number + 2 :])
    return "", text[begin:]


def _is_text(name: str) -> bool:
    stem, suffix = os.path.splitext(name.lower())
    return (os.path.splitext(stem)[1] if suffix in COMPRESSED else suffix) in TEXT
