"""A recipe: everything that a training run depends on, in one TOML file.

Knows the file's shape and the legal values. Each dataclass is one table; what it says is done elsewhere.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsr.errors import InvalidSettingError, RecipeError
from lsr.training.losses import LOSSES, Loss
from lsr.training.regularizers import REGULARIZERS, Regularizer
from lsr.training.tables import read_table


def _check(table: str, **rules: tuple[Any, bool, str]) -> None:
    for name, (value, holds, wanted) in rules.items():
        if not holds:
            raise InvalidSettingError(f"{table}.{name} is {value!r}, it must be {wanted}")


@dataclass(frozen=True, slots=True)
class Student:
    """The document encoder that is trained.

    Parameters
    ----------
    checkpoint : Path
        Folder of a masked-LM checkpoint, or of any BERT body.
    head : "keep" or "calibrated"
        keep: the checkpoint's own masked-LM head. calibrated: a new one, tied to the word embeddings and set so that
        the untrained model already finds a text by its own words (`lsr.training.head_init`).
    max_length : int
        Tokens of a document that are read in training, special ones included.
    queries : "inference-free" or "neural"
        Queries are their words × idf, or are encoded by the same network.
    """

    checkpoint: Path
    head: str = "keep"
    max_length: int = 128
    queries: str = "inference-free"

    def __post_init__(self) -> None:
        _check(
            "student",
            head=(self.head, self.head in ("keep", "calibrated"), "keep or calibrated"),
            max_length=(self.max_length, 4 <= self.max_length <= 8192, "within 4 and 8192"),
            queries=(self.queries, self.queries in ("inference-free", "neural"), "inference-free or neural"),
        )


@dataclass(frozen=True, slots=True)
class Idf:
    """Query weights of an inference-free student.

    Parameters
    ----------
    table : "data", "none" or a path
        data: counted over the training documents; none: every token weighs 1; else an `idf.json`.
    power : float
        The table is raised to it: ½ flattens, 0 is binary.
    trainable : bool
    learning_rate : float
        Of the table, where it is trained.
    """

    table: str = "data"
    power: float = 1.0
    trainable: bool = False
    learning_rate: float = 1e-2

    def __post_init__(self) -> None:
        _check(
            "idf",
            power=(self.power, self.power >= 0, "0 or more"),
            learning_rate=(self.learning_rate, self.learning_rate > 0, "above 0"),
        )


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
        _check(
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
        _check(
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
    """

    cache: Path
    sources: tuple[Source, ...]
    judged: tuple[Path, ...] = ()
    judged_splits: tuple[str, ...] = ("test", "dev")
    holdout: int = 500
    query_length: int = 64
    pseudo: PseudoQueries = field(default_factory=PseudoQueries)

    def __post_init__(self) -> None:
        _check(
            "data",
            sources=(len(self.sources), bool(self.sources), "one [[data.sources]] at least"),
            holdout=(self.holdout, self.holdout >= 0, "0 or more"),
            query_length=(self.query_length, self.query_length >= 1, "1 or more"),
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
        _check("mining", last=(self.last, 1 <= self.first <= self.last, "at least `first`, which is 1 or more"))


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
        _check(
            "sampling",
            queries=(self.queries, self.queries >= 1, "1 or more"),
            group=(
                self.group,
                self.group >= 0 and (not self.group or self.queries % self.group == 0),
                "a divisor of queries",
            ),
            temperature=(self.temperature, 0 <= self.temperature <= 1, "within 0 and 1"),
            pseudo_share=(self.pseudo_share, 0 <= self.pseudo_share <= 1, "within 0 and 1"),
        )


@dataclass(frozen=True, slots=True)
class TeacherEntry:
    """One teacher of the ensemble.

    Parameters
    ----------
    kind : "dense", "sparse", "bm25" or "scores"
        dense: a sentence-embedding checkpoint. sparse: any encoder of lsr. bm25: over the students' tokens. scores: the
        rows' own scores.
    name : str
        For messages, the cache and mining.
    weight : float
        Share in the ensemble, before normalisation by the sum of weights.
    checkpoint : str
        Path (dense), or name or path (sparse).
    max_length : int
        Tokens that it reads.
    k1, b : float
        Of bm25.
    """

    kind: str
    name: str
    weight: float = 1.0
    checkpoint: str = ""
    max_length: int = 128
    k1: float = 0.9
    b: float = 0.4

    def __post_init__(self) -> None:
        kinds = ("dense", "sparse", "bm25", "scores")
        _check(
            "teachers",
            kind=(self.kind, self.kind in kinds, f"one of {', '.join(kinds)}"),
            weight=(self.weight, self.weight > 0, "above 0"),
            name=(
                self.name,
                self.name.replace("-", "").replace("_", "").replace(".", "").isalnum(),
                "letters, digits, - _ .",
            ),
        )


@dataclass(frozen=True, slots=True)
class Ensemble:
    """How teachers' scores become one.

    Parameters
    ----------
    normalise : "minmax" or "none"
        minmax: each teacher's scores of a query go from 0 to 1 over the pool (arXiv 2411.04403, eq. 8).
    pool : "batch" or "own"
        The pool: all documents of the batch, or the query's own candidates.
    scale : float
        S: what the weighted mean is multiplied by.
    """

    normalise: str = "minmax"
    pool: str = "batch"
    scale: float = 30.0

    def __post_init__(self) -> None:
        _check(
            "ensemble",
            normalise=(self.normalise, self.normalise in ("minmax", "none"), "minmax or none"),
            pool=(self.pool, self.pool in ("batch", "own"), "batch or own"),
            scale=(self.scale, self.scale > 0, "above 0"),
        )


@dataclass(frozen=True, slots=True)
class Controller:
    """Steers λ: each regulariser's weight is multiplied by one factor that moves towards the targets.

    Parameters
    ----------
    terms : float
        Wanted mean number of terms of a training document; 0: no target.
    flops : float
        Wanted FLOPS, Σ_j p_query(j) · p_document(j): the expected terms in common; 0: no target. With both targets
        the one that is exceeded most steers.
    rate : float
        Largest relative change of the factor in a step.
    least, most : float
        Bounds of the factor.
    start : float
        Share of the run after which it begins; λ itself rises quadratically over the first `warmup` of the run.
    """

    terms: float = 0.0
    flops: float = 0.0
    rate: float = 0.01
    least: float = 0.1
    most: float = 100.0
    start: float = 0.1

    def __post_init__(self) -> None:
        _check(
            "controller",
            terms=(self.terms, self.terms >= 0, "0 or more"),
            flops=(self.flops, self.flops >= 0, "0 or more"),
            rate=(self.rate, 0 < self.rate < 1, "within 0 and 1"),
            most=(self.most, 0 < self.least <= 1 <= self.most, "1 or more, and `least` within 0 and 1"),
            start=(self.start, 0 <= self.start <= 1, "within 0 and 1"),
        )


@dataclass(frozen=True, slots=True)
class Optimizer:
    """AdamW and its schedule.

    Parameters
    ----------
    steps : int
        Updates of the weights.
    learning_rate, head_learning_rate : float
        Of the body, and of the masked-LM head (0: the same).
    schedule : str
        Of transformers: linear, cosine, constant_with_warmup, …
    warmup : float
        Share of the steps over which the learning rate rises.
    regularizer_warmup : float
        Share of the steps over which λ rises quadratically.
    weight_decay, beta1, beta2, clip : float
    accumulation : int
        Batches of one update.
    precision : "auto", "bf16" or "fp32"
        auto: bf16 on a GPU that has it.
    chunk_documents : int
        Documents that are encoded at a time, sorted by length; 0: the whole batch at once.
    gradient_cache : bool
        Encode each chunk twice and keep only its vectors in between (Gao et al. 2021): a batch of any size in the
        memory of a chunk.
    head_backend : "auto", "torch" or "triton"
        How the masked-LM head is computed (`lsr.encoders.fused_head`).
    """

    steps: int
    learning_rate: float = 2e-5
    head_learning_rate: float = 0.0
    schedule: str = "linear"
    warmup: float = 0.05
    regularizer_warmup: float = 0.33
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    clip: float = 1.0
    accumulation: int = 1
    precision: str = "auto"
    chunk_documents: int = 0
    gradient_cache: bool = False
    head_backend: str = "auto"

    def __post_init__(self) -> None:
        _check(
            "optimizer",
            steps=(self.steps, self.steps >= 1, "1 or more"),
            learning_rate=(self.learning_rate, self.learning_rate > 0, "above 0"),
            warmup=(self.warmup, 0 <= self.warmup <= 1, "within 0 and 1"),
            regularizer_warmup=(self.regularizer_warmup, 0 <= self.regularizer_warmup <= 1, "within 0 and 1"),
            accumulation=(self.accumulation, self.accumulation >= 1, "1 or more"),
            precision=(self.precision, self.precision in ("auto", "bf16", "fp32"), "auto, bf16 or fp32"),
            head_backend=(self.head_backend, self.head_backend in ("auto", "torch", "triton"), "auto, torch or triton"),
            chunk_documents=(self.chunk_documents, self.chunk_documents >= 0, "0 or more"),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """Where the run writes, and how often.

    Parameters
    ----------
    name : str
        Of the model.
    output : Path
        Folder: `checkpoint-N/`, `log.jsonl`, and at the end `model/` with its card.
    seed : int
    log_steps, save_steps, evaluate_steps : int
        Steps between two; 0 for evaluate_steps: only at the end.
    evaluate_start : bool
        Evaluate the untrained student too, to see what training gains.
    keep : int
        Checkpoints that are kept.
    workers : int
        Processes that prepare batches.
    """

    name: str
    output: Path
    seed: int = 0
    log_steps: int = 50
    save_steps: int = 500
    evaluate_steps: int = 0
    evaluate_start: bool = False
    keep: int = 2
    workers: int = 0

    def __post_init__(self) -> None:
        _check(
            "run",
            log_steps=(self.log_steps, self.log_steps >= 1, "1 or more"),
            save_steps=(self.save_steps, self.save_steps >= 1, "1 or more"),
            keep=(self.keep, self.keep >= 1, "1 or more"),
            workers=(self.workers, self.workers >= 0, "0 or more"),
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe. `losses` and `regularizers` map a name to its settings, `weight` (λ) among them."""

    run: Run
    student: Student
    data: Data
    optimizer: Optimizer
    losses: dict[str, dict[str, Any]]
    regularizers: dict[str, dict[str, Any]] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    idf: Idf = field(default_factory=Idf)
    mining: tuple[Mining, ...] = ()
    teachers: tuple[TeacherEntry, ...] = ()
    ensemble: Ensemble = field(default_factory=Ensemble)
    controller: Controller = field(default_factory=Controller)

    def __post_init__(self) -> None:
        if not self.losses:
            raise InvalidSettingError("a recipe needs one loss at least, as [losses.kl]")
        self.weighted_losses()
        self.weighted_regularizers()
        names = [teacher.name for teacher in self.teachers]
        if len(set(names)) < len(names):
            raise InvalidSettingError(f"two teachers have the same name: {', '.join(names)}")
        minable = {"bm25", *(teacher.name for teacher in self.teachers if teacher.kind == "dense")}
        for mining in self.mining:
            if mining.by not in minable:
                raise InvalidSettingError(f"mining.by is {mining.by!r}, it must be one of {', '.join(sorted(minable))}")

    def weighted_losses(self) -> list[tuple[str, float, Loss]]:
        """(name, weight, loss) of each."""
        return _weighted("losses", self.losses, LOSSES)

    def weighted_regularizers(self) -> list[tuple[str, float, Regularizer]]:
        """(name, λ, regulariser) of each."""
        return _weighted("regularizers", self.regularizers, REGULARIZERS)


def _weighted(kind: str, tables: dict[str, dict[str, Any]], known: dict[str, Any]) -> list[tuple[str, float, Any]]:
    found = []
    for key, table in tables.items():
        settings = dict(table)
        weight = settings.pop("weight", 1.0)
        name = settings.pop("kind", key)  # two of a kind under two keys
        if name not in known:
            raise InvalidSettingError(f"{kind}.{key} is unknown; known are {', '.join(known)}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight >= 0:
            raise InvalidSettingError(f"{kind}.{key}.weight is {weight!r}, it must be 0 or more")
        found.append((key, float(weight), read_table(known[name], settings, f"{kind}.{key}", Path())))
    return found


def read_recipe(path: Path) -> Recipe:
    """The recipe of a TOML file. Paths in it are relative to the file's folder.

    Raises
    ------
    RecipeError
        No such file, no TOML, or a key or value that a recipe does not have.
    """
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error.strerror}", remedy="Check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}", remedy="Correct the file") from None
    return read_table(Recipe, table, str(path), path.resolve().parent)
