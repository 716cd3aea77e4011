"""The formats, by name and by suffix."""

from __future__ import annotations

import difflib
from pathlib import Path

from lsr.errors import InvalidSettingError
from lsr.interchange import anserini, anserini_tsv, ciff, scipy_npz, seismic, seismic_raw
from lsr.interchange.format import Format
from lsr.interchange.streams import bare_suffix

#: In the order in which a suffix is looked up: JSON Lines are Anserini's unless said otherwise.
FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (anserini, anserini_tsv, ciff, scipy_npz, seismic, seismic_raw)
}
#: What people also call them; only to suggest the name.
_ALSO = {
    "json": "anserini",
    "jsonl": "anserini",
    "jsonvectors": "anserini",
    "pyserini": "anserini",
    "tsv": "anserini-tsv",
    "npz": "scipy",
    "csr": "scipy",
    "numpy": "scipy",
    "pyseismic": "seismic",
    "seismic-jsonl": "seismic",
    "seismic-bin": "seismic-raw",
    "bin": "seismic-raw",
    "raw": "seismic-raw",
}


def list_formats() -> list[tuple[str, str]]:
    """(name, one-line description) of each format."""
    return [(format.name, format.description) for format in FORMATS.values()]


def format_named(name: str) -> Format:
    """The format of that name; `InvalidSettingError` with the likeliest where there is none."""
    if name in FORMATS:
        return FORMATS[name]
    close = difflib.get_close_matches(name.lower(), [*FORMATS, *_ALSO], n=1, cutoff=0.5)
    meant = f"did you mean {_ALSO.get(close[0], close[0])!r}? " if close else ""
    raise InvalidSettingError(
        f"no format of vectors is called {name!r}", remedy=f"{meant}Known are {', '.join(FORMATS)}"
    )


def format_of(path: Path) -> Format:
    """The format that a path's suffix stands for; a folder is one of Anserini's."""
    if path.is_dir():
        return FORMATS["anserini"]
    suffix = bare_suffix(path)
    for format in FORMATS.values():
        if suffix in format.suffixes:
            return format
    known = ", ".join(f"{suffix} ({format.name})" for format in FORMATS.values() for suffix in format.suffixes[:1])
    raise InvalidSettingError(
        f"{path}: what vectors the suffix {path.suffix!r} stands for is unknown",
        remedy=f"name the format: {', '.join(FORMATS)}; by themselves are known {known}",
    )
