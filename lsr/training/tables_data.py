"""Tables of a recipe that say what is read and how batches are drawn.

Knows names, meanings and legal values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lsr.training.tables import check_values


@dataclass(frozen=True, slots=True)
class Source:
    """One file or collection of training pairs; a domain of the sampling.

    Parameters
    ----------
    path : str
        A JSONL file (gzip and zstd are recognised), a Parquet file, `beir:FOLDER` (with `split`) or
        `ir_datasets:ID` (training triples, or judgements).
    name : str
        What the domain is called; the file's name by default.
    licence : str
        Of the content, for the model card.
    split : str
        Of a BEIR folder.
    query, positive, negatives, scores : str
        Names of the fields. `negatives` is a list of texts; `scores` a list of numbers: the positive's, then each
        negative's. Both may be absent.
    exclude : dict of str to list of str
        Rows whose field has one of these values are left out.
    limit : int
        Most rows that are read; 0 for all.
    share : float
        Share of the rows that is kept, evenly over the source; 1 for all.
    weight : float
        Factor on the domain's probability.
    """

    path: str
    name: str = ""
    licence: str = ""
    split: str = "train"
    query: str = "query"
    positive: str = "pos"
    negatives: str = "neg"
    scores: str = "scores"
    exclude: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limit: int = 0
    share: float = 1.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_values(
            "data.sources",
            limit=(self.limit, self.limit >= 0, "0 or more"),
            share=(self.share, 0 < self.share <= 1, "above 0 and at most 1"),
            weight=(self.weight, self.weight >= 0, "0 or more"),
        )


@dataclass(frozen=True, slots=True)
class PseudoQueries:
    """Queries made from documents, where no pairs are needed: a teacher says what they find.

    Parameters
    ----------
    per_document : float
        Pseudo-queries for each document, on average; 0 makes none.
    least, most : int
        Tokens of a span, on word borders.
    question_share : float
        Share that is given the shape of a question ("what is …").
    """

    per_document: float = 0.0
    least: int = 3
    most: int = 14
    question_share: float = 0.0

    def __post_init__(self) -> None:
        check_values(
            "data.pseudo",
            per_document=(self.per_document, 0 <= self.per_document <= 100, "within 0 and 100"),
            most=(self.most, 1 <= self.least <= self.most, "at least `least`, which is 1 or more"),
            question_share=(self.question_share, 0 <= self.question_share <= 1, "within 0 and 1"),
        )


@dataclass(frozen=True, slots=True)
class Data:
    """What is read, and what is kept out.

    Parameters
    ----------
    cache : Path
        Folder of everything computed once: tokens, teachers' vectors, mined negatives.
    sources : tuple of Source
    judged : tuple of Path
        Folders of judged collections in BEIR's layout, or folders of such: a training query that is one of their
        queries (letters and digits compared) is left out and counted.
    judged_splits : tuple of str
        Whose queries are protected; a split that one trains on is not.
    holdout : int
        Queries that are held out to measure progress.
    query_length : int
        Tokens of a query that are read.
    pseudo : PseudoQueries
    seed : int, optional
        Of what is held out, of the pool that held-out queries are ranked in, and of pseudo-queries; `run.seed` where
        it is absent. Runs of several `run.seed` share one prepared data set where it is given.
    """

    cache: Path
    sources: tuple[Source, ...]
    judged: tuple[Path, ...] = ()
    judged_splits: tuple[str, ...] = ("test", "dev")
    holdout: int = 500
    query_length: int = 64
    pseudo: PseudoQueries = field(default_factory=PseudoQueries)
    seed: int | None = None

    def __post_init__(self) -> None:
        check_values(
            "data",
            sources=(len(self.sources), bool(self.sources), "one [[data.sources]] at least"),
            holdout=(self.holdout, self.holdout >= 0, "0 or more"),
            query_length=(self.query_length, self.query_length >= 1, "1 or more"),
            seed=(self.seed, self.seed is None or self.seed >= 0, "0 or more"),
        )


@dataclass(frozen=True, slots=True)
class Mining:
    """Hard negatives that are looked for before training and drawn from at random while training.

    Parameters
    ----------
    by : "bm25" or a teacher's name
        Whose ranking: bm25 through our own index over the students' tokens; a dense teacher's by exact search.
    first, last : int
        Window of ranks, from 1, that negatives are taken from.
    ceiling : float
        A document whose score exceeds this share of the positive's is no negative; 0 keeps all.
    """

    by: str
    first: int = 1
    last: int = 24
    ceiling: float = 0.0

    def __post_init__(self) -> None:
        check_values(
            "mining",
            last=(self.last, 1 <= self.first <= self.last, "at least `first`, which is 1 or more"),
            ceiling=(self.ceiling, self.ceiling >= 0, "0 or more"),
        )


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a batch is drawn.

    Parameters
    ----------
    queries : int
        Queries of a batch (on each device and for each accumulation step).
    group : int
        Queries of one domain that stand together in a batch: their positives are each other's harder negatives.
    given_negatives : int
        Negatives of the source's own rows for each query, as far as there are any.
    mined_negatives : int
        Of each [[mining]] table, for each query.
    temperature : float
        A domain of n pairs is drawn with probability ∝ n^temperature: 1 by size, 0 all alike.
    pseudo_share : float
        Share of groups that are pseudo-queries.
    """

    queries: int = 32
    group: int = 0
    given_negatives: int = 0
    mined_negatives: int = 1
    temperature: float = 0.5
    pseudo_share: float = 0.0

    def __post_init__(self) -> None:
        check_values(
            "sampling",
            queries=(self.queries, self.queries >= 1, "1 or more"),
            group=(
                self.group,
                self.group >= 0 and (not self.group or self.queries % self.group == 0),
                "a divisor of queries",
            ),
            given_negatives=(self.given_negatives, self.given_negatives >= 0, "0 or more"),
            mined_negatives=(self.mined_negatives, self.mined_negatives >= 0, "0 or more"),
            temperature=(self.temperature, 0 <= self.temperature <= 1, "within 0 and 1"),
            pseudo_share=(self.pseudo_share, 0 <= self.pseudo_share <= 1, "within 0 and 1"),
        )
