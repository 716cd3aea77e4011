"""How a search goes about its work: strategy, threads, and the approximate modes by name."""

from __future__ import annotations

from dataclasses import dataclass

from lsr.errors import InvalidSettingError
from lsr.index.layout import AUTO, PRUNE, SCAN

STRATEGIES = {"scan": SCAN, "prune": PRUNE, "auto": AUTO}


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How a search goes about it. With the defaults, and with every strategy and number of threads, results are exact.

    strategy : `auto`, `scan` or `prune`
        `scan` scores every posting of the query; `prune` bounds blocks of 32 documents and scores those that may hold a
        hit; `auto` chooses for each superblock of 65,536 documents by estimated cost.
    threads : int >= 1
        Threads that share the superblocks of one query. One is best where many queries run side by side.
    overestimate : float of 1 or more
        Approximate where above 1: a block is passed over unless its bound exceeds the threshold that many times (the
        inverse of Block-Max Pruning's α, superblock pruning's η).
    overestimate_superblocks : float of 1 or more
        The same for superblocks (the inverse of superblock pruning's μ).
    query_terms : float above 0, at most 1
        Approximate where below 1: candidates are found by this share of the query's terms, the heaviest (β), and
        then scored by all.
    candidates : float of 1 or more
        With `query_terms` below 1: so many times k candidates are scored by all terms.
    max_postings : int of 1 or more, or None
        Approximate where it is reached: superblocks, those with the best bounds first, are searched until so many
        postings have been scored.
    """

    strategy: str = "auto"
    threads: int = 1
    overestimate: float = 1.0
    overestimate_superblocks: float = 1.0
    query_terms: float = 1.0
    candidates: float = 4.0
    max_postings: int | None = None

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise InvalidSettingError(f"strategy is {self.strategy!r}", remedy=f"it is one of {', '.join(STRATEGIES)}")
        whole = [("threads", self.threads)]
        if self.max_postings is not None:
            whole.append(("max_postings", self.max_postings))
        for name, value in whole:
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidSettingError(f"{name} is {value!r}, it must be a whole number of 1 or more")
        for name, number, least, most in (
            ("overestimate", self.overestimate, 1, 1000),
            ("overestimate_superblocks", self.overestimate_superblocks, 1, 1000),
            ("query_terms", self.query_terms, 0.001, 1),
            ("candidates", self.candidates, 1, 1000),
        ):
            if not (isinstance(number, int | float) and least <= number <= most):
                raise InvalidSettingError(f"{name} is {number!r}, it must be within {least} and {most}")

    @property
    def approximate(self) -> bool:
        """Whether a better document than the last hit may be missed."""
        return (
            self.overestimate > 1
            or self.overestimate_superblocks > 1
            or self.query_terms < 1
            or self.max_postings is not None
        )


EXACT = SearchOptions()

#: The recommended settings for so many per cent of the true hits, measured on five collections (index/results): the
#: bounds of blocks must exceed the threshold so many times.
RECALL = {"95": 1.1, "99": 1.04, "99.9": 1.01}


def for_recall(recall: str, threads: int = 1) -> SearchOptions:
    """The recommended approximate settings for `95`, `99` or `99.9` per cent of the true hits; a mean, no promise."""
    if recall not in RECALL:
        raise InvalidSettingError(f"recall is {recall!r}", remedy=f"it is one of {', '.join(RECALL)}")
    return SearchOptions(strategy="auto", threads=threads, overestimate=RECALL[recall])
