"""Runs the application with uvicorn: opens indexes, binds a port, warms up, serves, ends in order."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike, fspath
from pathlib import Path

import uvicorn

from lsr.engine.index import Index
from lsr.errors import InvalidSettingError
from lsr.index.compile import load_kernels
from lsr.service.app import check_name, create_app

log = logging.getLogger("lsr.service")

#: How long requests that run may take to end after a signal, in seconds.
GRACE_SECONDS = 10


class _Server(uvicorn.Server):
    """uvicorn, telling when it takes requests."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def serve(
    paths: Mapping[str, str | PathLike[str]] | Iterable[str | PathLike[str]],
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    examples: Mapping[str, Sequence[str]] | None = None,
    threads: int | None = None,
    announce: Callable[[str], None] | None = None,
    access_log: bool = False,
) -> None:
    """Serve index directories until SIGINT or SIGTERM.

    Parameters
    ----------
    paths : mapping of name to directory, or directories
        Directories are named by `name_indexes`.
    host : str
        An address of this machine. There is no authentication: anything but a loopback address is warned of.
    port : int
        0 takes a free one.
    examples, threads
        See `create_app`.
    announce : callable of str, optional
        Called once with the page's address, when requests are taken.
    access_log : bool
        Whether each request is logged. Addresses hold queries.

    Raises
    ------
    InvalidSettingError
        The port is taken or the host is not this machine's; two indexes of one name; a name that cannot be one.
    LsrError
        Whatever `Index.open` raises.
    """
    named = dict(paths) if isinstance(paths, Mapping) else name_indexes(paths)
    if not named:
        raise InvalidSettingError("no index to serve", remedy="Name one index directory at least")
    for name in named:
        check_name(name)
    with ExitStack() as stack:
        listener = stack.enter_context(_bind(host, port))
        indexes = {name: stack.enter_context(Index.open(path)) for name, path in named.items()}
        for index in indexes.values():
            _warm_up(index)
        if not _is_loopback(host):
            log.warning("no authentication yet: whoever reaches %s can read every index", host)
        app = create_app(indexes, examples=examples, threads=threads)
        config = uvicorn.Config(
            app,
            log_level="info" if access_log else "warning",
            access_log=access_log,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
        try:
            _Server(config, lambda: announce(url) if announce else None).run([listener])
        except KeyboardInterrupt:
            return  # uvicorn has shut down in order and raises the signal again


def name_indexes(paths: Iterable[str | PathLike[str]]) -> dict[str, Path]:
    """A name for each directory: the `NAME` of `NAME=DIRECTORY`, else the directory's own.

    Raises `InvalidSettingError` where two have the same.
    """
    named: dict[str, Path] = {}
    for each in paths:
        name, equals, directory = fspath(each).partition("=")
        if not equals or Path(each).exists():
            directory = fspath(each)
            name = Path(directory).resolve().name
        if name in named:
            raise InvalidSettingError(
                f"two indexes would be called '{name}': {named[name]} and {directory}",
                remedy="Give one of them another name: NAME=DIRECTORY",
            )
        named[name] = Path(directory)
    return named


def _bind(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that a taken port is told before anything is loaded."""
    remedy = "Choose another port, or 0 for a free one"
    if not 0 <= port <= 65535:
        raise InvalidSettingError(f"port {port} is not within 0 and 65535", remedy=remedy)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InvalidSettingError(f"host '{host}' is not an address of this machine") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)  # who connects while indexes load is kept waiting, not refused
    except OSError as error:
        listener.close()
        raise InvalidSettingError(f"cannot listen on {host}, port {port}: {error.strerror}", remedy=remedy) from None
    return listener


def _warm_up(index: Index) -> None:
    """Load the encoder and the kernels, so that the first request does not wait for them."""
    load_kernels()
    index.search("warm up", k=1)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
