"""Entry point of `lsr` and of `python -m lsr.cli`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from lsr.cli import check, demo, eval, index, info, search, serve
from lsr.cli.output import fail, talk
from lsr.errors import LsrError
from lsr.index.compile import announce_with

app = typer.Typer(
    name="lsr",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Documentation: README.md of the project. Each command explains itself: lsr COMMAND --help",
)
app.command("index", help="Index documents from files, folders or standard input.")(index.run)
app.command("search", help="Search an index from the shell.")(search.run)
app.command("serve", help="Serve indexes over REST, with a search page at /.")(serve.run)
app.command("eval", help="Evaluate an index or an encoder on a judged collection.")(eval.run)
app.command("info", help="Show what an index holds: sizes, settings, segments.")(info.run)
app.command("check", help="Read and compare every stored byte; repair what can be.")(check.run)
app.command("demo", help="Index this Python's own documentation, ask it questions, serve it.")(demo.run)


def _version(wanted: bool) -> None:
    if wanted:
        from lsr import __version__

        typer.echo(f"lsr {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """A search engine for learned sparse retrieval: neural term weights, exact results, no GPU."""


def main() -> None:
    """Run the command line; errors of ours become one readable line and exit code 1, an interrupt exit code 130."""
    announce_with(lambda sentence: talk().print(sentence, style="dim"))
    try:
        app()
    except LsrError as error:
        fail(error)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
