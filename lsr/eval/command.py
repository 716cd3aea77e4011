"""One `lsr eval` as data: what is asked, read from a command line or made by a program, and carried out.

The CLI and the regressions both come through `EvalRequest.execute`, so a command in a regression file is one that a
person can run. Knows the options; prints nothing.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from lsr.encoders.settings import Setting, parse_settings
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval.collections.base import Collection, judged, load_collection
from lsr.eval.evaluate import EvaluationResult, Progress, Scoring, evaluate_encoder, evaluate_index
from lsr.eval.grouped import combine, parts_of
from lsr.eval.measures import DEFAULT_MEASURES
from lsr.eval.records import Record, record_beside, record_of, write_record
from lsr.eval.runs import write_run


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What `lsr eval` is asked to do.

    Parameters
    ----------
    collection : str, optional
        A BEIR folder or an id of ir_datasets.
    documents, queries, qrels : str, optional
        Files of one's own instead of a collection; see `FilesCollection`.
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
    search : mapping
        Further options of the search.
    cost : bool
        Take latency, throughput and size too.
    drop_self_matches : bool, optional
        Overrides the collection's rule.
    run : str, optional
        A TREC file to write, with the record (`.json`) beside it.
    directory : str, optional
        A folder in which the index is kept for the next time; with an encoder only.
    """

    collection: str | None = None
    index: str | None = None
    encoder: str | None = None
    settings: dict[str, Setting] = field(default_factory=dict)
    query_idf: str | None = None
    split: str | None = None
    measures: tuple[str, ...] = DEFAULT_MEASURES
    k: int | None = None
    threads: int = 1
    scoring: Scoring = "impacts"
    search: dict[str, Setting] = field(default_factory=dict)
    cost: bool = False
    drop_self_matches: bool | None = None
    run: str | None = None
    directory: str | None = None
    documents: str | None = None
    queries: str | None = None
    qrels: str | None = None

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
        beside = None if self.run is None else record_beside(self.run)  # before minutes of encoding
        parts = {} if self.collection is None else parts_of(self.collection)
        if parts:
            result = self._parts(parts, progress, command)
            name = result.provenance["collection"]["name"]
            kept = Record(self._label(), name, result.measures, result.per_query, provenance=result.provenance)
            self._keep(result, kept, beside)
            return result
        collection = judged(
            self.collection,
            split=self.split,
            documents=self.documents,
            queries=self.queries,
            qrels=self.qrels,
            drop_self_matches=self.drop_self_matches,
        )
        if collection is None:
            raise EvaluationError("no collection is named", remedy="Add --collection FOLDER|ID, or --qrels FILE")
        result = self._evaluate(collection, progress, command)
        self._keep(result, record_of(result, collection, self._label()), beside)
        return result

    def _keep(self, result: EvaluationResult, record: Record, beside: Path | None) -> None:
        """Write the run, and its record beside it, where a run is asked for."""
        if self.run is None:
            return
        write_run(self.run, result.run)
        if beside is not None:
            write_record(beside, record)

    def _label(self) -> str:
        """How a comparison calls the system."""
        from lsr.encoders.registry import DEFAULT_ENCODER

        name = Path(self.index).name if self.index is not None else self.encoder or DEFAULT_ENCODER
        settings = {**self.settings, **({"query_idf": self.query_idf} if self.query_idf else {})}
        settings |= {f"search.{key}": value for key, value in self.search.items()}
        settings |= {"scoring": self.scoring} if self.scoring != "impacts" else {}
        return ",".join([name, *(f"{key}={value}" for key, value in settings.items())])

    def _parts(self, parts: Mapping[str, str], progress: Progress | None, command: str | None) -> EvaluationResult:
        if self.index is not None:
            raise EvaluationError(
                f"{self.collection} has {len(parts)} parts, an index holds one",
                remedy="Use --encoder, or evaluate each part with its own index and compare them together",
            )
        found = {}
        for name, source in parts.items():
            one = load_collection(source, split=self.split, drop_self_matches=self.drop_self_matches)
            found[name] = self._evaluate(one, progress, command)
        return combine(found, next(iter(parts)).partition("/")[0])

    def _evaluate(self, collection: Collection, progress: Progress | None, command: str | None) -> EvaluationResult:
        from lsr.encoders.registry import DEFAULT_ENCODER
        from lsr.engine.index import Index

        if self.index is not None:
            with Index.open(self.index) as index:
                return evaluate_index(
                    index,
                    collection,
                    measures=self.measures,
                    k=self.k,
                    threads=self.threads,
                    scoring=self.scoring,
                    options=self.search,
                    cost=self.cost,
                    progress=progress,
                    command=command,
                )
        return evaluate_encoder(
            self.encoder or DEFAULT_ENCODER,
            collection,
            settings=self.settings,
            query_idf=self.query_idf,
            directory=self.directory,
            measures=self.measures,
            k=self.k,
            threads=self.threads,
            scoring=self.scoring,
            options=self.search,
            cost=self.cost,
            progress=progress,
            command=command,
        )


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
    if found.collection is None and found.qrels is None:
        raise EvaluationError("the command cannot be read: it needs --collection or --qrels")
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
        search=parse_settings(found.search_option),
        cost=found.cost,
        drop_self_matches=found.drop_self_matches,
        run=found.run,
        directory=found.directory,
        documents=found.documents,
        queries=found.queries,
        qrels=found.qrels,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise EvaluationError(f"the command cannot be read: {message}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lsr eval", add_help=False, allow_abbrev=False)
    parser.add_argument("index", nargs="?")
    parser.add_argument("--collection")
    for name in ("--documents", "--queries", "--qrels"):
        parser.add_argument(name)
    parser.add_argument("--split")
    parser.add_argument("--encoder")
    parser.add_argument("--encoder-setting", action="append", default=[])
    parser.add_argument("--query-idf")
    parser.add_argument("--measure", action="append", default=[])
    parser.add_argument("--k", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scoring", default="impacts")
    parser.add_argument("--search-option", action="append", default=[])
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--drop-self-matches", action=argparse.BooleanOptionalAction)
    parser.add_argument("--run")
    parser.add_argument("--directory")
    parser.add_argument("--json", action="store_true")  # how the CLI prints, nothing here
    return parser
