"""The synthetic collections `diffuse` and `clustered`, with the statistics of SPLADE on MS MARCO.

About 120 terms a document of a vocabulary of 30,522, document frequencies by a shifted power law (the most frequent
terms in a third of the documents and more), log-normal impacts. `diffuse` draws a document's terms independently: the
worst case for pruning. `clustered` has 64 × 16 × 8 topics; a document draws most of its terms from its leaf topic and
the topics above it, so like documents share terms, with like impacts. Documents come in random order.

Every document is a function of (set, seed, its number) alone: chunks of any size and collections of any size agree.

Queries: SPLADE queries of about 43 terms, weights falling exponentially with the rank as those of SPLADE++ do, and
inference-free queries of about 8 terms weighted by idf. How strongly frequent terms are preferred is fitted so that
an average query meets 1.35 (.42) postings a document. Queries of `clustered` are noisy samples of a document's terms.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import synthetic_kernels as kernels
from .collection import VOCABULARY, Array, CollectionWriter, Queries, data_root, join_queries

SEED = 20261124
MEAN_TERMS = 120.0
#: Postings a document that an average query meets, by kind.
FLOPS = {"splade": 1.35, "free": 0.42}
QUERY_TERMS = {"splade": (43.6, 0.30, 8, 120), "free": (8.04, 0.40, 2, 24)}  # mean, sigma, least, most
SAMPLE = 100_000  # documents that frequencies for the fit, and the sources of queries, are taken from


class Synthetic:
    """One generator: tables are made once from the seed, then any range of documents can be drawn."""

    def __init__(self, name: str, seed: int = SEED) -> None:
        if name not in ("diffuse", "clustered"):
            raise ValueError(f"no synthetic set is called {name!r}")
        self.name, self.seed = name, seed
        rng = np.random.default_rng([seed, 0])
        shape = (9.0, 0.78) if name == "diffuse" else (7.0, 0.83)
        weights = 1 / (np.arange(1, VOCABULARY + 1) + shape[0]) ** shape[1]
        self.background = rng.permutation(weights)
        self.chances, self.alias = _alias(self.background)
        self.strength = 0.35 * rng.standard_normal(VOCABULARY)
        none = np.zeros((0, 0), np.uint16)
        self.lists: list[Array] = [none, none, none]
        self.fanout = np.array([128, 8, 1], np.int64)
        self.leaf: tuple[Array, Array] = (np.zeros(0), np.zeros(0, np.int64))
        self.slots = [(np.zeros(0), np.zeros(0, np.int64))] * 3
        if name == "clustered":
            tempered = _alias(self.background**0.95)
            sizes = [(64, 3000), (1024, 900), (8192, 260)]
            self.lists = [np.zeros(size, np.uint16) for size in sizes]
            for level, lists in enumerate(self.lists):
                kernels.draw_topics(seed, level, *tempered, lists)
            self.slots = [_alias(1 / (np.arange(size) + 12.0) ** 0.7) for _, size in sizes]
            self.leaf = _alias(rng.permutation(1 / np.arange(1.0, 8193.0) ** 0.4))
        self.shares = np.array([0.16, 0.36, 0.72])
        self.centres = np.log(np.array([26.0, 22.0, 28.0, 38.0]))
        self.spread = 0.85 if name == "diffuse" else 0.70

    def lengths(self, first: int, count: int) -> NDArray[np.int64]:
        """Numbers of terms of the documents from `first` on."""
        out = np.zeros(count, np.int64)
        kernels.draw_lengths(self.seed, first, MEAN_TERMS, 0.33, 16, 500, out)
        return out

    def documents(self, first: int, count: int) -> tuple[NDArray[np.int64], Array, Array]:
        """indptr from 0, terms (uint16) and impacts (uint8) of the documents from `first` on."""
        indptr = np.concatenate([[0], np.cumsum(self.lengths(first, count))]).astype(np.int64)
        terms = np.zeros(indptr[-1], np.uint16)
        impacts = np.zeros(indptr[-1], np.uint8)
        kernels.draw_documents(
            self.seed, first, indptr, self.chances, self.alias, self.strength, *self.leaf, self.fanout, *self.lists,
            tuple(chances for chances, _ in self.slots), tuple(alias for _, alias in self.slots),
            self.shares, self.centres, self.spread, terms, impacts,
        )  # fmt: skip
        return indptr, terms, impacts

    def queries(self, kind: str, count: int) -> Queries:
        """Queries, the same for every size of the collection; their preference for frequent terms is fitted."""
        documents = self.documents(0, SAMPLE)
        share = np.bincount(documents[1], minlength=VOCABULARY) / SAMPLE
        low, high = -1.0, 3.0
        for _ in range(12):
            middle = (low + high) / 2
            rows = self._queries(kind, 200, middle, share, documents)
            met = float(np.mean([share[terms].sum() for terms, _ in rows]))
            low, high = (middle, high) if met < FLOPS[kind] else (low, middle)
        return join_queries(self._queries(kind, count, (low + high) / 2, share, documents))

    def _queries(
        self, kind: str, count: int, preference: float, share: Array, documents: tuple[Array, Array, Array]
    ) -> list[tuple[Array, Array]]:
        rng = np.random.default_rng([self.seed, 1 + ("splade", "free").index(kind)])
        mean, sigma, least, most = QUERY_TERMS[kind]
        lengths = np.exp(rng.normal(np.log(mean) - sigma * sigma / 2, sigma, count)).round().clip(least, most)
        sources = rng.integers(0, SAMPLE, count)
        liking = np.log(share + 1e-6) * preference
        idf = np.log(1 / (share + 1e-5))
        rows = []
        for n, source in zip(lengths.astype(int), sources, strict=True):
            if self.name == "clustered":
                row = slice(documents[0][source], documents[0][source + 1])
                own, impacts = documents[1][row].astype(np.int64), documents[2][row]
                from_own = min(round(n * 0.75), len(own))
                taken = own[_gumbel_top(rng, np.log(impacts) + liking[own], from_own)]
                others = liking.copy()
                others[taken] = -np.inf
                others += np.log(self.background)
                terms = np.concatenate([taken, _gumbel_top(rng, others, n - from_own)])
            else:
                terms = _gumbel_top(rng, liking, n)
            if kind == "free":
                weights = idf[terms] + 0.05
            else:  # heaviest first: rarer terms and terms of the source tend to weigh more
                merit = 0.5 * idf[terms] + rng.gumbel(0, 1, n)
                merit[: round(n * 0.75)] += 1.0
                rank = np.empty(n)
                rank[np.argsort(-merit)] = np.arange(n)
                weights = 2.8 * np.exp(-4.5 * rank / n + 0.25 * rng.standard_normal(n)) + 0.01
            rows.append((terms, weights))
        return rows


def write_synthetic(name: str, documents: int, *, queries: int = 1000, root: Path | None = None) -> Path:
    """The folder of a synthetic collection, made where it is not there yet."""
    target = (root or data_root()) / f"{name}-{documents}"
    if (target / "meta.json").exists():
        return target
    generator = Synthetic(name)
    indptr = np.concatenate([[0], np.cumsum(generator.lengths(0, documents))]).astype(np.int64)
    writer = CollectionWriter(name, indptr, root)
    step = 200_000
    for first in range(0, documents, step):
        _, terms, impacts = generator.documents(first, min(step, documents - first))
        writer.put(first, terms, impacts)
        print(f"{name}: {min(first + step, documents):,} of {documents:,} documents", flush=True)
    for kind in FLOPS:
        writer.queries(kind, generator.queries(kind, queries))
    return writer.finish(synthetic=True, seed=generator.seed)


def _alias(weights: Array) -> tuple[Array, Array]:
    chances, alias = np.zeros(len(weights)), np.zeros(len(weights), np.int64)
    kernels.fill_alias(weights, chances, alias)
    return chances, alias


def _gumbel_top(rng: np.random.Generator, logits: Array, n: int) -> NDArray[np.int64]:
    """`n` indices without repetition, with chances by `logits`."""
    noisy = logits + rng.gumbel(0, 1, len(logits))
    return np.argpartition(-noisy, n - 1)[:n] if 0 < n < len(logits) else np.arange(len(logits))[:n]
