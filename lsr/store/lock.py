"""One writer at a time: an advisory lock that the operating system drops when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from lsr.errors import WriterLockedError
from lsr.store.durable import named_refusals


class WriterLock:
    """Held from construction to `release`; `WriterLockedError` names who holds it.

    A lock file left by a crash is no lock: the kernel's lock went with the process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with named_refusals(path):
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._holder()
            os.close(self._handle)
            raise WriterLockedError(
                f"{path.parent} is being written by {holder}", remedy="wait for it to end, or stop it; reading is free"
            ) from None
        with suppress(OSError):  # on a full disk the lock holds without its holder's name, so that room can be made
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)

    def _holder(self) -> str:
        try:
            record = json.loads(os.pread(self._handle, 4096, 0))
            return f"process {record['pid']} on {record['host']}"
        except (ValueError, KeyError, TypeError):
            return "another process"

    def release(self) -> None:
        """Let the next writer in; does nothing the second time."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
