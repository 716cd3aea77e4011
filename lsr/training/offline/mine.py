"""Hard negatives for a file of pairs: texts that a ranking puts high for a query and that are not its positives.

Knows windows of ranks, what counts as a positive, and the filter by a judge. How texts are ranked and scored is known
next door.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lsr.errors import InvalidSettingError, TrainingDataError
from lsr.training.data.leaks import text_key
from lsr.training.offline.files import Numbered, Row, check_target, load_rows, written
from lsr.training.offline.judges import Judge, Moved, Scorer, check_scores, make_scorer
from lsr.training.offline.rankings import Ranked, rank, rank_in
from lsr.training.tables_data import Source

PICKS = ("top", "random")


@dataclass(frozen=True, slots=True)
class MineSettings:
    """How negatives are chosen.

    Parameters
    ----------
    negatives : int
        Wanted for each row.
    first, last : int
        Window of ranks, from 1, counted without the query's positives.
    ceiling : float
        A text that scores above this share of the query's best positive is no negative; 0 keeps all. Where that
        positive's score is not above 0, the score itself is the limit.
    filter_by : Judge, optional
        Whose scores the ceiling is taken of; by default those of the ranking.
    pick : "top" or "random"
        The best of what is left of the window, or any, by `seed`.
    seed : int
    replace : bool
        Drop the negatives (and scores) that a row has; else the mined ones are put behind them.
    max_length : int
        Tokens of a text that networks read.
    """

    negatives: int = 4
    first: int = 1
    last: int = 50
    ceiling: float = 0.0
    filter_by: Judge | None = None
    pick: str = "top"
    seed: int = 0
    replace: bool = False
    max_length: int = 256

    def __post_init__(self) -> None:
        for name, value, holds, wanted in (
            ("negatives", self.negatives, self.negatives >= 1, "1 or more"),
            ("last", self.last, 1 <= self.first <= self.last, "at least `first`, which is 1 or more"),
            ("ceiling", self.ceiling, 0 <= self.ceiling <= 1, "within 0 and 1"),
            ("seed", self.seed, self.seed >= 0, "0 or more"),
            ("pick", self.pick, self.pick in PICKS, "top or random"),
        ):
            if not holds:
                raise InvalidSettingError(f"{name} is {value!r}, it must be {wanted}")
        if self.filter_by is not None and not self.ceiling:
            raise InvalidSettingError("a filter needs a ceiling", remedy="Set ceiling, 0.95 for example")


@dataclass(frozen=True, slots=True)
class MineReport:
    """rows, and different queries among them; documents that were ranked; negatives that were added; rows that got
    fewer than were wanted; texts of the windows that the ceiling left out.
    """

    rows: int
    queries: int
    documents: int
    negatives: int
    short: int
    filtered: int


def mine_negatives(
    pairs: Source,
    target: Path,
    settings: MineSettings,
    *,
    by: Judge | None = None,
    index: Path | None = None,
    corpus: Sequence[str] = (),
    moved: Moved = lambda what, done, total: None,
    folder: Path = Path(),
) -> MineReport:
    """Write the rows of `pairs` with hard negatives in their field `neg`; all other fields stay.

    Parameters
    ----------
    pairs : Source
        Any source of training pairs. Its rows are held in memory.
    target : Path
        A JSONL file that does not exist yet; it appears when it is whole.
    settings : MineSettings
    by : Judge, optional
        Who ranks; bm25 by default.
    index : Path, optional
        An index instead: its documents, its encoder.
    corpus : sequence of str
        Sources of documents (as `lsr index` reads them) to rank; by default the positives of all rows.
    moved : callable
        Is told what is done and how far it is.
    folder : Path
        What a relative path of `pairs` is relative to.

    Raises
    ------
    TrainingDataError
        A malformed row, or a checkpoint that cannot be used; nothing is written.
    InvalidSettingError
        `target` is there already; options that exclude each other.
    SourceError, NotAnIndexError, …
        The corpus or the index cannot be read.
    """
    check_target(target)
    if pairs.negatives in (pairs.query, pairs.positive):
        raise InvalidSettingError(f"negatives would take the place of {pairs.negatives!r}", remedy="Name another field")
    if index is not None and (by is not None or corpus):
        raise InvalidSettingError("an index has its own documents and encoder", remedy="Leave out `by` and `corpus`")
    if by is not None and by.kind == "cross-encoder":
        raise InvalidSettingError(f"{by.name} cannot rank a whole corpus", remedy="Use it to filter (filter_by)")
    judge = make_scorer(settings.filter_by, settings.max_length) if settings.filter_by is not None else None
    rows = load_rows(pairs, folder)
    _check_rows(rows, pairs, settings)
    queries = Numbered()
    positives: dict[int, dict[bytes, str]] = {}
    for row in rows:
        positives.setdefault(queries.number(row.pair.query), {})[text_key(row.pair.positive)] = row.pair.positive
    depth = settings.last + min(max(map(len, positives.values())), 8) + 1  # the query's own text may be there too
    if index is not None:
        ranked, pool = _rank_index(index, queries.texts, depth, moved)
    else:
        pool = _pool(rows, corpus)
        ranked = rank(by or Judge("bm25"), queries.texts, pool, depth, settings.max_length, moved)
    miner = _Miner(settings, queries.texts, positives, pool, ranked)
    filtered = miner.filter(judge, moved) if settings.ceiling else 0
    added = short = 0
    with written(target) as put:
        for row in rows:
            own = [] if settings.replace else list(row.pair.negatives)
            found = miner.negatives(queries.number(row.pair.query), own)
            added += len(found)
            short += len(found) < settings.negatives
            record = {key: value for key, value in row.record.items() if key not in (pairs.negatives, pairs.scores)}
            put({**record, pairs.negatives: [*own, *found]})
    return MineReport(len(rows), len(queries.texts), len(pool), added, short, filtered)


def _check_rows(rows: Sequence[Row], pairs: Source, settings: MineSettings) -> None:
    for row in rows:
        if row.pair.scores and not settings.replace:
            raise TrainingDataError(
                f"{row.where}: the row has {pairs.scores}, which would not fit further negatives",
                remedy="Drop its negatives and scores (--replace), and add scores afterwards",
            )


def _pool(rows: Sequence[Row], corpus: Sequence[str]) -> list[str]:
    """Different texts that are ranked."""
    found: dict[bytes, str] = {}
    for text in _texts(corpus) if corpus else (row.pair.positive for row in rows):
        if text.strip():
            found.setdefault(text_key(text), text)
    return list(found.values())


def _texts(corpus: Sequence[str]) -> Iterator[str]:
    from lsr.sources import read_documents

    for source in corpus:
        for document in read_documents(source):
            yield document.content


def _rank_index(path: Path, queries: Sequence[str], depth: int, moved: Moved) -> tuple[Ranked, list[str]]:
    from lsr.engine.index import Index

    with Index.open(path) as index:
        # Only texts that are found are fetched: numbers are given as they come.
        places = _Places()
        ranked = rank_in(index, queries, min(depth, max(len(index), 1)), places, moved)
        return ranked, [index.document(id).content for id in places]


class _Places(dict[str, int]):
    """id → number, the next for a new id."""

    def __missing__(self, id: str) -> int:
        self[id] = len(self)
        return self[id]


class _Miner:
    """The windows of all queries, and what is taken from them."""

    def __init__(
        self,
        settings: MineSettings,
        queries: Sequence[str],
        positives: dict[int, dict[bytes, str]],
        pool: Sequence[str],
        ranked: Ranked,
    ) -> None:
        self._settings, self._queries, self._positives, self._pool = settings, queries, positives, pool
        self._keys = [text_key(text) for text in pool]
        self._ranked = ranked
        #: Of each query: numbers of its window, best first, and their scores.
        self._windows: list[tuple[list[int], list[float]]] = []
        #: The ranking's score of each query's best positive, None where that is not among the first.
        self._best: list[float | None] = []
        for query in range(len(queries)):
            self._look(query)

    def _look(self, query: int) -> None:
        good = self._positives[query]
        own = text_key(self._queries[query])
        numbers, scores, best = [], [], None
        for number, score in zip(
            self._ranked.numbers[query].tolist(), self._ranked.scores[query].tolist(), strict=True
        ):
            if number < 0:
                break
            if self._keys[number] in good:
                best = score if best is None else best
            elif self._keys[number] != own:
                numbers.append(number)
                scores.append(score)
        window = slice(self._settings.first - 1, self._settings.last)
        self._windows.append((numbers[window], scores[window]))
        self._best.append(best)

    def filter(self, judge: Scorer | None, moved: Moved) -> int:
        """Leave out what scores above the ceiling; how many."""
        if judge is not None:
            self._score(judge, moved)
        out = 0
        for query, (numbers, scores) in enumerate(self._windows):
            best = self._best[query]
            # A positive that the ranking did not reach scores no more than anything in the window.
            limit = float("-inf") if best is None else best * self._settings.ceiling if best > 0 else best
            kept = [(n, s) for n, s in zip(numbers, scores, strict=True) if s <= limit]
            out += len(numbers) - len(kept)
            self._windows[query] = ([n for n, _ in kept], [s for _, s in kept])
        return out

    def _score(self, judge: Scorer, moved: Moved) -> None:
        """Scores of the judge in the place of the ranking's."""
        assert self._settings.filter_by is not None
        texts = Numbered()
        pairs = []
        for query, (numbers, _) in enumerate(self._windows):
            asked = [*self._positives[query].values(), *(self._pool[number] for number in numbers)]
            pairs += [(query, texts.number(text)) for text in asked]
        found = judge.scores(self._queries, texts.texts, np.array(pairs, np.int64).reshape(-1, 2), moved)
        check_scores(self._settings.filter_by, found)
        values = iter(found.tolist())
        for query, (numbers, _) in enumerate(self._windows):
            self._best[query] = max([next(values) for _ in self._positives[query]])
            self._windows[query] = (numbers, [next(values) for _ in numbers])

    def negatives(self, query: int, own: Sequence[str]) -> list[str]:
        """Texts of the window, none of them twice and none that the row has."""
        known = {text_key(text) for text in own}
        numbers, _ = self._windows[query]
        if self._settings.pick == "random":
            numbers = np.random.default_rng([self._settings.seed, query]).permutation(numbers).astype(int).tolist()
        found: list[str] = []
        for number in numbers:
            if len(found) == self._settings.negatives:
                break
            if self._keys[number] not in known:
                known.add(self._keys[number])
                found.append(self._pool[number])
        return found
