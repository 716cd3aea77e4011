"""What the operating system may refuse, said in our words: no room, no permission."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsr.errors import AccessDeniedError, DiskFullError


def disk_full(path: Path) -> DiskFullError:
    """The error for a device without room; what was committed stays."""
    return DiskFullError(
        f"no room is left on the device of {path}; everything committed before is intact",
        remedy="make room and run the same command again: it continues",
    )


@contextmanager
def named_refusals(path: Path) -> Iterator[None]:
    """Turn ENOSPC, EACCES and EROFS of the block into `DiskFullError` and `AccessDeniedError` that name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise disk_full(path) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            where = error.filename or path
            raise AccessDeniedError(f"{where} may not be written", remedy="check its owner and permissions") from error
        raise
