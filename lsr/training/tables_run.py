"""Tables of a recipe that say what is trained, by whom it is taught, and how.

Knows names, meanings and legal values.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lsr.training.tables import check_values


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
    bias_shift : float
        Added to every term's bias when the run has ended, before it is evaluated and published. Training sets a term
        to 0 that falls just short; what a little more than 0 brings back is told by the held-out queries.
    """

    checkpoint: Path
    head: str = "keep"
    max_length: int = 128
    queries: str = "inference-free"
    bias_shift: float = 0.0

    def __post_init__(self) -> None:
        check_values(
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
    matching : bool
        True: a query's tokens weigh their idf. False: they weigh 1, and the table is what `regularizers.idf_flops`
        divides by: the second spelling of IDF-aware training (`lsr.training.regularizers.idf_flops`).
    trainable : bool
        Of what tokens weigh in a query.
    learning_rate : float
        Of the table, where it is trained.
    """

    table: str = "data"
    power: float = 1.0
    matching: bool = True
    trainable: bool = False
    learning_rate: float = 1e-2

    def __post_init__(self) -> None:
        check_values(
            "idf",
            power=(self.power, self.power >= 0, "0 or more"),
            learning_rate=(self.learning_rate, self.learning_rate > 0, "above 0"),
        )


@dataclass(frozen=True, slots=True)
class TeacherEntry:
    """One teacher of the ensemble.

    Parameters
    ----------
    kind : "dense", "sparse", "bm25", "cross-encoder" or "scores"
        dense: a sentence-embedding checkpoint. sparse: any encoder of lsr. bm25: over the students' tokens.
        cross-encoder: a sequence classifier that reads query and document together; it scores the positives and
        every given and mined negative of a query, once, and no other document. scores: the rows' own scores.
    name : str
        For messages, the cache and mining.
    weight : float
        Share in the ensemble, before normalisation by the sum of weights; 0: it only mines.
    checkpoint : str
        Path (dense, cross-encoder), or name or path (sparse).
    max_length : int
        Tokens that it reads; a cross-encoder, of both texts together.
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
        kinds = ("dense", "sparse", "bm25", "cross-encoder", "scores")
        check_values(
            "teachers",
            kind=(self.kind, self.kind in kinds, f"one of {', '.join(kinds)}"),
            weight=(self.weight, self.weight >= 0, "0 or more"),
            name=(
                self.name,
                self.name.replace("-", "").replace("_", "").replace(".", "").isalnum(),
                "letters, digits, - _ .",
            ),
            max_length=(self.max_length, self.max_length >= 4, "4 or more"),
            k1=(self.k1, self.k1 >= 0, "0 or more"),
            b=(self.b, 0 <= self.b <= 1, "within 0 and 1"),
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
        check_values(
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
    terms_least : float
        A floor under the mean number of terms; 0: none. With it the factor falls below 1 only while the terms are
        under the floor, and above 1 it answers to `terms` and `flops` alone; a floor goes before them. Weaker
        regularisers let terms come back, no more: a ranking loss that takes terms away is not stopped. With a
        `bias_rate` it is: then the floor moves the biases and leaves λ to the ceilings.
    bias_rate : float
        What every bias of the head is raised by in a step under the floor; 0: λ falls instead.
    rate : float
        Largest relative change of the factor in a step.
    least, most : float
        Bounds of the factor. Without a floor, `least = 1.0` makes the targets ceilings.
    start : float
        Share of the run after which it begins; λ itself rises quadratically over the first `warmup` of the run.
    """

    terms: float = 0.0
    flops: float = 0.0
    terms_least: float = 0.0
    bias_rate: float = 0.0
    rate: float = 0.01
    least: float = 0.1
    most: float = 100.0
    start: float = 0.1

    def __post_init__(self) -> None:
        check_values(
            "controller",
            terms=(self.terms, self.terms >= 0, "0 or more"),
            flops=(self.flops, self.flops >= 0, "0 or more"),
            terms_least=(
                self.terms_least,
                0 <= self.terms_least <= (self.terms or self.terms_least)
                and (not self.terms_least or self.least < 1 or self.bias_rate > 0),
                "0 or more, at most `terms`, and `least` below 1 for λ to fall to or `bias_rate` above 0",
            ),
            bias_rate=(
                self.bias_rate,
                self.bias_rate >= 0 and (not self.bias_rate or self.terms_least > 0),
                "0 or more, and beside a `terms_least`",
            ),
            rate=(self.rate, 0 < self.rate < 1, "within 0 and 1"),
            most=(self.most, 0 < self.least <= 1 <= self.most, "1 or more, and `least` within 0 and 1"),
            start=(self.start, 0 <= self.start <= 1, "within 0 and 1"),
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
        Steps between two; evaluate_steps is a multiple of log_steps, or 0: only at the end.
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
        check_values(
            "run",
            log_steps=(self.log_steps, self.log_steps >= 1, "1 or more"),
            save_steps=(self.save_steps, self.save_steps >= 1, "1 or more"),
            keep=(self.keep, self.keep >= 1, "1 or more"),
            evaluate_steps=(
                self.evaluate_steps,
                self.evaluate_steps >= 0 and self.evaluate_steps % max(1, self.log_steps) == 0,
                f"0, or a multiple of run.log_steps, {self.log_steps}",
            ),
            workers=(self.workers, self.workers >= 0, "0 or more"),
            seed=(self.seed, self.seed >= 0, "0 or more"),
        )
