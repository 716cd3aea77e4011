"""Files that appear whole or not at all: written under a temporary name, flushed to the device, then named.

Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from lsr.errors import AccessDeniedError, DiskFullError, InvalidSettingError
from lsr.index.files import sync_folder


@contextmanager
def named_refusals(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses in the block into `DiskFullError` and `AccessDeniedError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFullError(
                f"no room is left on the device of {path}; nothing was written", remedy="make room and try again"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise AccessDeniedError(f"{path} may not be written", remedy="check its owner and permissions") from error
        raise


@contextmanager
def targets(paths: Sequence[Path], *, overwrite: bool) -> Iterator[list[BinaryIO]]:
    """Open files that get their names, in order, only where the block succeeds. The last names the whole.

    Where files that belong together replace older ones, the last of these is removed first: a crash in between leaves
    a set without its main file, never one whose parts do not match.

    Raises
    ------
    InvalidSettingError
        A path exists and `overwrite` is false, or its folder does not exist.
    """
    for path in paths:
        if not path.parent.is_dir():
            raise InvalidSettingError(f"the folder {path.parent} does not exist", remedy="create it first")
        if path.is_dir() or (path.exists() and not overwrite):
            raise InvalidSettingError(f"{path} exists already", remedy="remove it, name another, or pass overwrite")
    temporary = [path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp") for path in paths]
    try:
        with ExitStack() as stack, named_refusals(paths[-1]):
            files: list[BinaryIO] = [stack.enter_context(open(path, "w+b")) for path in temporary]
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        with named_refusals(paths[-1]):
            if len(paths) > 1:
                paths[-1].unlink(missing_ok=True)
            for source, path in zip(temporary, paths, strict=True):
                os.replace(source, path)
            sync_folder(paths[-1].parent)
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)
