"""How well a student finds the positives of held-out queries: the figure by which runs are compared.

Knows a student and the prepared data; scores are exact, of float weights. It says nothing about judged collections:
those are for `lsr eval`, and no choice is made on them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lsr.errors import TrainingError
from lsr.training.data.batches import framed
from lsr.training.data.prepared import PreparedData
from lsr.training.data.ragged import Ragged
from lsr.training.lowering import lowered_weights
from lsr.training.student import Student

#: Documents of the pool for each held-out query.
_POOL = 20
_BATCH = 128


@dataclass(frozen=True, slots=True)
class HeldOutFigures:
    """mrr: mean of 1 / rank of the first positive within 10, and recall: share of queries with a positive among the
    first 10, each the mean over domains; terms: mean terms of a document; flops: Σ_j p_query(j) p_document(j);
    ubiquitous: terms of more than a third of the documents. `by_query` has for each query its number in the prepared
    data, its domain and its 1 / rank (0 beyond 10); queries ascend.
    """

    mrr: float
    recall: float
    terms: float
    flops: float
    ubiquitous: float
    queries: int
    documents: int
    by_domain: dict[str, float]
    by_query: tuple[tuple[int, str, float], ...]

    def flat(self) -> dict[str, float]:
        """The figures by name, `heldout_` before each."""
        names = ("mrr", "recall", "terms", "flops", "ubiquitous", "queries", "documents")
        return {f"heldout_{name}": getattr(self, name) for name in names}

    def write(self, path: Path, data: str) -> None:
        """JSON of all of it, for paired tests between runs; `data` is the key of the prepared data."""
        queries, domains, reciprocal = (list(column) for column in zip(*self.by_query, strict=True))
        record = {"data": data, **self.flat(), "query": queries, "domain": domains, "reciprocal_rank": reciprocal}
        aside = path.with_name(f".{path.name}")
        aside.write_text(json.dumps(record))
        aside.replace(path)


@torch.no_grad()
def evaluate_held_out(
    student: Student, data: PreparedData, seed: int, *, terms: float | None = None
) -> HeldOutFigures | None:
    """Rank a pool of documents, the positives among them, for each held-out query. None where nothing is held out.

    Parameters
    ----------
    student : Student
    data : PreparedData
    seed : int
        Of the pool.
    terms : float, optional
        Measure as if all biases of the vocabulary were lower by one amount, that which leaves a document of the pool so
        many terms on average: students of different sparsity then compare at the same.

    Raises
    ------
    TrainingError
        Documents have fewer terms than `terms`.
    """
    held = data.pairs[data.held_out]
    if not len(held):
        return None
    queries = np.unique(held[:, 0])
    rng = np.random.default_rng([seed, 2])
    positives = np.unique(held[:, 1])
    others = rng.permutation(len(data.documents))[: _POOL * len(queries)]
    pool = np.unique(np.concatenate([positives, others]))
    place = {int(document): number for number, document in enumerate(pool)}
    device = student.bias.device
    training = student.training
    student.eval()
    columns, presence = _presence(data, queries)
    columns, presence = columns.to(device), presence.to(device)
    if student.inference_free:
        asked = presence * student.idf()[columns]
    else:
        asked = _encoded(student, data.queries, queries, data)
    order = np.argsort([-len(data.documents[int(d)]) for d in pool], kind="stable")
    parts = _in_parts(student, data, pool, order)
    if terms is not None:
        kept = [(chosen, found.to_sparse()) for chosen, found in parts]
        amount = _surplus([found.values() for _, found in kept], round(terms * len(pool)))
        parts = ((chosen, lowered_weights(found.to_dense().double(), amount, torch).float()) for chosen, found in kept)
        if not student.inference_free:
            asked = lowered_weights(asked.double(), amount, torch).float()
    scored = torch.empty(len(queries), len(pool), device=device)
    shares = torch.zeros(len(student.kept), device=device)
    for chosen, found in parts:
        shares += (found > 0).sum(0)
        weights = found[:, columns] if student.inference_free else found
        scored[:, torch.from_numpy(chosen).to(device)] = asked @ weights.T
    student.train(training)
    shares /= len(pool)
    ranks = _first_ranks(scored, held, queries, place)
    domains = {int(q): int(d) for q, _, d in held.tolist()}
    names = [record["name"] for record in data.manifest.sources]
    by_query = tuple(
        (query, names[domains[query]], 1 / rank if rank <= 10 else 0.0)
        for query, rank in zip(queries.tolist(), ranks, strict=True)
    )
    by_domain: dict[str, list[float]] = {}
    for _, domain, value in by_query:
        by_domain.setdefault(domain, []).append(value)
    reciprocal = {name: float(np.mean(row)) for name, row in by_domain.items()}
    recall = float(np.mean([np.mean(np.array(row) > 0) for row in by_domain.values()]))
    return HeldOutFigures(
        mrr=float(np.mean(list(reciprocal.values()))),
        recall=recall,
        terms=float(shares.sum()),
        flops=float(
            (presence.mean(0) * shares[columns]).sum()
            if student.inference_free
            else (asked > 0).float().mean(0) @ shares
        ),
        ubiquitous=float((shares > 1 / 3).sum()),
        queries=len(queries),
        documents=len(pool),
        by_domain=reciprocal,
        by_query=by_query,
    )


def _in_parts(
    student: Student, data: PreparedData, pool: np.ndarray, order: np.ndarray
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Places in the pool, long documents first, and the weights of those."""
    for start in range(0, len(pool), _BATCH):
        chosen = order[start : start + _BATCH]
        yield chosen, _encoded(student, data.documents, pool[chosen], data)


def _surplus(weights: Iterable[torch.Tensor], count: int) -> float:
    """How far logits behind weights log1p(relu(logit)) must come down for `count` of the weights to be left."""
    logits = torch.cat([torch.expm1(part.double()) for part in weights])
    if count > len(logits):
        raise TrainingError(
            f"held-out documents have {len(logits):,} terms in all, {count:,} are asked for",
            remedy="Ask for fewer terms than the sparsest run has",
        )
    return 0.0 if count == len(logits) else float(logits.kthvalue(len(logits) - count).values)


def _first_ranks(scored: torch.Tensor, held: np.ndarray, queries: np.ndarray, place: dict[int, int]) -> list[int]:
    """Rank, from 1, of each query's best positive; ties count against it."""
    positives: dict[int, list[int]] = {}
    for query, document, _ in held.tolist():
        positives.setdefault(query, []).append(place[document])
    ranks = []
    for row, query in enumerate(queries.tolist()):
        best = scored[row, positives[query]].max()
        own = torch.zeros(scored.shape[1], dtype=torch.bool, device=scored.device)
        own[positives[query]] = True
        better = ((scored[row] >= best) & ~own).sum() if best > 0 else scored.shape[1]
        ranks.append(int(better) + 1)
    return ranks


def _presence(data: PreparedData, queries: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Terms of the queries, ascending, and float32 (queries, terms): 1 where a query has one."""
    rows = [np.setdiff1d(np.asarray(data.queries[int(q)], np.int64), data.manifest.special_ids) for q in queries]
    columns = np.unique(np.concatenate(rows))
    presence = np.zeros((len(rows), len(columns)), np.float32)
    for number, row in enumerate(rows):
        presence[number, np.searchsorted(columns, row)] = 1
    return torch.from_numpy(columns), torch.from_numpy(presence)


def _encoded(student: Student, rows: Ragged, numbers: np.ndarray, data: PreparedData) -> torch.Tensor:
    """float32 (n, V): the network's weights of those rows."""
    device = student.bias.device
    parts = []
    for start in range(0, len(numbers), _BATCH):
        chosen = numbers[start : start + _BATCH]
        ids, mask = framed([np.asarray(rows[int(n)], np.int64) for n in chosen], data.manifest)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            parts.append(student.weights(ids.to(device), mask.to(device)).float())
    return torch.cat(parts)
