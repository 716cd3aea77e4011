"""What the operating system may refuse, said in our words: no room, no permission, a device that fails."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsr.errors import AccessDeniedError, DeviceFailedError, DiskFullError


def disk_full(path: Path) -> DiskFullError:
    """The error for a device without room; what was committed stays."""
    return DiskFullError(
        f"no room is left on the device of {path}; everything committed before is intact",
        remedy="make room and run the same command again: it continues",
    )


def device_failed(path: Path, detail: object) -> DeviceFailedError:
    """The error for a device that could not read, write or flush."""
    return DeviceFailedError(
        f"the device of {path} failed: {detail}; everything committed before is kept",
        remedy="look at the system's log, then open the index again: it holds the state before or after this write",
    )


@contextmanager
def named_refusals(path: Path) -> Iterator[None]:
    """Turn ENOSPC, EACCES, EROFS and EIO of the block into errors of our tree that name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise disk_full(path) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            where = error.filename or path
            raise AccessDeniedError(f"{where} may not be written", remedy="check its owner and permissions") from error
        if error.errno == errno.EIO:
            raise device_failed(path, error) from error
        raise
