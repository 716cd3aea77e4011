"""Entry point of `lsr` and of `python -m lsr.cli`."""

from __future__ import annotations

from typing import Annotated

import typer

from lsr.cli import (
    alias,
    check,
    datasets,
    datasets_get,
    delete,
    demo,
    distill_scores,
    encode,
    encoder,
    eval,
    eval_compare,
    eval_explain,
    eval_vocabulary,
    export,
    index,
    info,
    mine,
    optimize,
    patch,
    search,
    serve,
    snapshot,
    train,
)
from lsr.cli.dispatch import TwoWords
from lsr.cli.output import accept_any_text, fail, talk
from lsr.errors import LsrError
from lsr.index.compile import announce_with

app = typer.Typer(
    name="lsr",
    cls=TwoWords,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with: lsr demo. Each command explains itself: lsr COMMAND --help",
)


def _help(docstring: str | None) -> str:
    """A docstring without its line ends, so that a terminal of any width can set its own."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (docstring or "").split("\n\n"))


def _words(module: str) -> str:
    """What a verb is called: eval_compare is "eval compare", distill_scores "distill-scores"."""
    return {"distill_scores": "distill-scores"}.get(module, module.replace("_", " "))


TRAINING = (train, mine, distill_scores, export)
EVALUATION = (eval, eval_compare, eval_explain, eval_vocabulary, datasets, datasets_get)
for verb in (index, search, serve, *EVALUATION, info, check, delete, patch, optimize, encode, *TRAINING, demo):
    # A verb's docstring is its help, and the first line of it what `lsr --help` says.
    app.command(_words(verb.__name__.rpartition(".")[2]), help=_help(verb.run.__doc__))(verb.run)

for group in (snapshot, alias, encoder):
    verbs = typer.Typer(no_args_is_help=True, help=_help(group.__doc__), rich_markup_mode="rich")
    for name, run in group.VERBS.items():
        verbs.command(name, help=_help(run.__doc__))(run)
    app.add_typer(verbs, name=group.__name__.rpartition(".")[2])


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
    """Run the command line. Exit codes: 0, 1 for errors of ours (one readable line), 2 usage, 130 interrupted."""
    accept_any_text()
    announce_with(lambda sentence: talk().print(sentence, style="dim", soft_wrap=True))
    try:
        app(prog_name="lsr")
    except LsrError as error:
        fail(error)


if __name__ == "__main__":
    main()
