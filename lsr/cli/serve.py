"""`lsr serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Indexes, each served under its folder's name, or as NAME=DIR.")
    ],
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8080,
    threads: Annotated[int | None, typer.Option("--threads", help="Searches side by side.", min=1)] = None,
) -> None:
    """Serve indexes over REST, with a search page at / and the API's description at /docs.

    Runs until Ctrl-C. An index that is written meanwhile is followed: new commits are served at once.
    """
    serve_directories(directories, host=host, port=port, threads=threads)


def serve_directories(
    directories: list[Path],
    *,
    host: str,
    port: int,
    threads: int | None = None,
    examples: dict[str, list[str]] | None = None,
) -> None:
    """Run the service in the foreground."""
    from lsr.cli.output import talk
    from lsr.errors import MissingExtraError

    try:
        from lsr.service.server import serve
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("lsr"):
            raise
        raise MissingExtraError("the REST service", "serve") from None
    console = talk()
    serve(
        directories,
        host=host,
        port=port,
        threads=threads,
        examples=examples,
        announce=lambda url: console.print(
            f"Serving at {url} (search page; API: {url}docs). Ctrl-C stops.", markup=False, soft_wrap=True
        ),
    )
