"""One `lsr eval` as data: what is asked, read from a command line or made by a program, and carried out.

The CLI and the regressions both come through `EvalRequest.execute`, so a command in a regression file is one that a
person can run. Knows the options; prints nothing.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from lsr.encoders.settings import Setting, parse_settings
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval.collections.base import load_collection
from lsr.eval.evaluate import EvaluationResult, Progress, Scoring, evaluate_encoder, evaluate_index
from lsr.eval.measures import DEFAULT_MEASURES


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What `lsr eval` is asked to do.

    Parameters
    ----------
    collection : str
        A BEIR folder or an id of ir_datasets.
    index : str, optional
        An index of the collection's documents. Without one, `encoder` indexes them.
    encoder : str, optional
        Name or path of an encoder; lsr's default encoder where neither index nor encoder is named.
    settings : mapping
        Settings of the encoder.
    query_idf : str, optional
        model, collection, min or smoothed; with an encoder only, an index has its own.
    split : str, optional
        Which judgements; test by default.
    measures : tuple of str
        Names of ir_measures.
    k : int, optional
        Hits a query; by default what the measures need, 100 at least.
    threads : int
        For the search.
    scoring : {"impacts", "float"}
        The engine's search, or its weights before quantisation by SciPy.
    drop_self_matches : bool, optional
        Overrides the collection's rule.
    run : str, optional
        A TREC file to write.
    directory : str, optional
        A folder in which the index is kept for the next time; with an encoder only.
    """

    collection: str
    index: str | None = None
    encoder: str | None = None
    settings: dict[str, Setting] = field(default_factory=dict)
    query_idf: str | None = None
    split: str | None = None
    measures: tuple[str, ...] = DEFAULT_MEASURES
    k: int | None = None
    threads: int = 1
    scoring: Scoring = "impacts"
    drop_self_matches: bool | None = None
    run: str | None = None
    directory: str | None = None

    def __post_init__(self) -> None:
        if self.index is not None:
            for name in ("encoder", "query_idf", "directory"):
                if getattr(self, name) is not None:
                    raise InvalidSettingError(
                        f"an index and {name.replace('_', ' ')} {getattr(self, name)!r} are both given",
                        remedy="An index knows its own encoder: leave one of them out",
                    )
            if self.settings:
                raise InvalidSettingError(
                    "an index and encoder settings are both given",
                    remedy="An index knows its own: leave one of them out",
                )
        if self.scoring not in ("impacts", "float"):
            raise InvalidSettingError(f"scoring is {self.scoring!r}", remedy="It is impacts or float")
        for name in ("threads", "k"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidSettingError(f"{name} is {value}, it must be 1 or more")

    def execute(self, *, progress: Progress | None = None, command: str | None = None) -> EvaluationResult:
        """Load the collection, evaluate, write the run where one is asked for.

        Raises what `load_collection`, `evaluate_index`, `evaluate_encoder`, `Index.open` and `write_run` raise.
        """
        from lsr.encoders.registry import DEFAULT_ENCODER
        from lsr.engine.index import Index

        collection = load_collection(self.collection, split=self.split, drop_self_matches=self.drop_self_matches)
        if self.index is not None:
            with Index.open(self.index) as index:
                result = evaluate_index(
                    index,
                    collection,
                    measures=self.measures,
                    k=self.k,
                    threads=self.threads,
                    scoring=self.scoring,
                    progress=progress,
                    command=command,
                )
        else:
            result = evaluate_encoder(
                self.encoder or DEFAULT_ENCODER,
                collection,
                settings=self.settings,
                query_idf=self.query_idf,
                directory=self.directory,
                measures=self.measures,
                k=self.k,
                threads=self.threads,
                scoring=self.scoring,
                progress=progress,
                command=command,
            )
        if self.run is not None:
            result.write_run(self.run)
        return result


def parse_command(line: str | Sequence[str]) -> EvalRequest:
    """The request of a whole command line, `lsr eval …`.

    Raises
    ------
    EvaluationError
        Not an `lsr eval`, an unknown option, a missing one.
    InvalidSettingError
        Options that contradict each other or have illegal values.
    """
    words = shlex.split(line) if isinstance(line, str) else list(line)
    if words[:2] != ["lsr", "eval"]:
        raise EvaluationError(
            f"{' '.join(words[:2])!r} is not an evaluation", remedy="The command begins with lsr eval"
        )
    found = _parser().parse_args(words[2:])
    return EvalRequest(
        collection=found.collection,
        index=found.index,
        encoder=found.encoder,
        settings=parse_settings(found.encoder_setting),
        query_idf=found.query_idf,
        split=found.split,
        measures=tuple(found.measure) or DEFAULT_MEASURES,
        k=found.k,
        threads=found.threads,
        scoring=found.scoring,
        drop_self_matches=found.drop_self_matches,
        run=found.run,
        directory=found.directory,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise EvaluationError(f"the command cannot be read: {message}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lsr eval", add_help=False, allow_abbrev=False)
    parser.add_argument("index", nargs="?")
    parser.add_argument("--collection", required=True)
    parser.add_argument("--split")
    parser.add_argument("--encoder")
    parser.add_argument("--encoder-setting", action="append", default=[])
    parser.add_argument("--query-idf")
    parser.add_argument("--measure", action="append", default=[])
    parser.add_argument("--k", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scoring", default="impacts")
    parser.add_argument("--drop-self-matches", action=argparse.BooleanOptionalAction)
    parser.add_argument("--run")
    parser.add_argument("--directory")
    parser.add_argument("--json", action="store_true")  # how the CLI prints, nothing here
    return parser
