"""The record of a bulk encoding: what it encodes with, and which parts are whole.

`encode.json` says the encoder once; `parts.jsonl` has a line for each part that is on the device, and is the only
truth: a part file that no line names is written again. Knows nothing of vectors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsr.errors import CorruptionError, InvalidSettingError
from lsr.index.files import sync_folder
from lsr.store.durable import named_refusals

SETTINGS, PARTS = "encode.json", "parts.jsonl"


def prepare(folder: Path) -> None:
    """Make the folder where it is not there; InvalidSettingError where it holds something else."""
    with named_refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
        others = [found.name for found in folder.iterdir() if not found.name.startswith(".")]
    if others and SETTINGS not in others:
        raise InvalidSettingError(f"{folder} holds {others[0]} and is no bulk encoding", remedy="Name a new folder")


class Journal:
    """Opens or begins the record of a folder.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    settings : mapping
        What must be the same whenever the encoding goes on.

    Raises
    ------
    InvalidSettingError
        The folder has been begun with other settings.
    CorruptionError
        Its record cannot be read.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        path = folder / SETTINGS
        if path.is_file():
            self._compare(path, settings)
        else:
            aside = folder / f".{SETTINGS}.tmp"
            with named_refusals(folder):
                with aside.open("w", encoding="utf-8") as file:
                    file.write(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(aside, path)
                sync_folder(folder)
        self.parts = self._read()

    def _compare(self, path: Path, settings: Mapping[str, Any]) -> None:
        try:
            there = json.loads(path.read_bytes())
        except ValueError as error:
            raise CorruptionError(path, f"not JSON: {error}", remedy="Name a new folder") from None
        for name, value in json.loads(json.dumps(settings)).items():
            if not isinstance(there, dict) or there.get(name) != value:
                found = there.get(name) if isinstance(there, dict) else there
                raise InvalidSettingError(
                    f"{self._folder} was begun with {name} {found!r}, not {value!r}",
                    remedy="Go on with the same command, or name a new folder",
                )

    def _read(self) -> list[dict[str, Any]]:
        """The lines; one that a crash tore at the end is cut off."""
        path = self._folder / PARTS
        if not path.is_file():
            return []
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            with named_refusals(path), path.open("r+b") as file:
                file.truncate(len(whole))
                os.fsync(file.fileno())
        try:
            parts: list[dict[str, Any]] = [json.loads(line) for line in whole.splitlines()]
            for number, part in enumerate(parts):
                if part["part"] != number or part["documents"] < 0 or not isinstance(part["digest"], str):
                    raise ValueError(f"line {number + 1} is not the record of part {number}")
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptionError(path, f"not a journal of parts: {error}", remedy="Name a new folder") from None
        return parts

    @property
    def complete(self) -> bool:
        """Whether the last part was the source's last."""
        return bool(self.parts) and bool(self.parts[-1].get("last"))

    def add(self, record: Mapping[str, Any]) -> None:
        """Append the record of the next part, on the device when this returns."""
        line = json.dumps({"part": len(self.parts), **record}, ensure_ascii=False)
        with named_refusals(self._folder):
            with (self._folder / PARTS).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._folder)
        self.parts.append(json.loads(line))
