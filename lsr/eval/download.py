"""A file from the net: resumed where it was left, checked against its checksum before it gets its name.

Knows HTTP ranges and checksums. Knows nothing of what is in a file.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsr.errors import EvaluationError
from lsr.eval.provenance import version

#: Tries in a row without a byte before it is given up; seconds before the second, doubled each time; of silence.
_ATTEMPTS, _PAUSE, _TIMEOUT = 5, 0.5, 60.0

_BLOCK = 1 << 18

#: Bytes so far, and in all where that is known.
Moved = Callable[[int, int | None], None]


def download(
    url: str, target: str | Path, *, md5: str | None = None, progress: Moved | None = None, pause: float = _PAUSE
) -> Path:
    """Fetch a file.

    What has come is kept in `<target>.part`, so that an interrupted download goes on, in this process or a later one,
    where the server still has the same file (by its ETag or date) and answers ranges; else it begins anew.

    Parameters
    ----------
    url : str
        http or https.
    target : path
        Where the file shall be. One that is there and has the checksum is not fetched again.
    md5 : str, optional
        Hexadecimal; publishers of judged collections give this digest. It finds damage, not forgery.
    progress : callable, optional
        Called as `progress(bytes, total or None)`.
    pause : float
        Seconds before the second try; doubled each time.

    Raises
    ------
    EvaluationError
        The file is not to be had, or is not the one that was asked for; then nothing is left of it.
    """
    if not url.startswith(("http://", "https://")):
        raise EvaluationError(f"{url!r} is no address to download from", remedy="It begins with http:// or https://")
    place = Path(target)
    if place.exists() and (md5 is None or digest(place) == md5):
        return place
    part, notes = place.with_name(f"{place.name}.part"), place.with_name(f"{place.name}.part.json")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, notes, progress, pause)
        if md5 is not None and (found := digest(part)) != md5:
            part.unlink()
            notes.unlink(missing_ok=True)
            raise EvaluationError(
                f"{url} gave a file with the MD5 {found}, {md5} was expected: it is refused",
                remedy="Try again; if it stays so, the file at that address is another",
            )
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(place)
        notes.unlink(missing_ok=True)
    except OSError as error:
        raise EvaluationError(f"cannot write {place}: {error.strerror or error}") from None
    return place


def digest(path: Path) -> str:
    """MD5 of a file, hexadecimal."""
    state = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def _fetch(url: str, part: Path, notes: Path, progress: Moved | None, pause: float) -> None:
    """Bring `part` to its end. Tries that bring something forward do not count."""
    failed = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _continue(url, part, notes, progress):
                return
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise EvaluationError(
                    f"{url} answers {error.code} {error.reason}", remedy="Check the address, or name a mirror"
                ) from None
            reason = f"it answers {error.code} {error.reason}"
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        failed = 0 if part.exists() and part.stat().st_size > before else failed + 1
        if failed >= _ATTEMPTS:
            raise EvaluationError(
                f"{url} cannot be downloaded: {reason}",
                remedy="Check the network; the same command goes on where this one stopped",
            )
        time.sleep(pause * 2 ** min(failed, 6))


def _continue(url: str, part: Path, notes: Path, progress: Moved | None) -> bool:
    """One request; True where the file is complete."""
    known = _read(notes)
    have = part.stat().st_size if part.exists() and known.get("url") == url and known.get("tag") else 0
    headers = {"User-Agent": f"lsr/{version('lsr-engine') or '0'}", "Accept-Encoding": "identity"}
    if have:
        if have == known.get("total"):
            return True
        headers |= {"Range": f"bytes={have}-", "If-Range": str(known["tag"])}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as answer:
        ranged = have and answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not ranged:
            have = 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if tag and tag.startswith("W/"):  # says that it may be other bytes
            tag = None
        notes.write_text(json.dumps({"url": url, "tag": tag, "total": total}))
        with part.open("ab" if ranged else "wb") as file:
            if progress:
                progress(have, total)
            while block := answer.read(_BLOCK):
                file.write(block)
                have += len(block)
                if progress:
                    progress(have, total)
    return total is None or have == total


def _read(notes: Path) -> dict[str, Any]:
    try:
        found = json.loads(notes.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
