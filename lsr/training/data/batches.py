"""Batches by number: batch i of a seed is always the same, in whichever process and after whichever restart.

Knows how queries, positives and negatives are drawn and laid out. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsr.errors import TrainingDataError
from lsr.training.data.prepared import DataManifest, PreparedData
from lsr.training.recipe import Ensemble, Sampling, Source
from lsr.training.teachers.base import Teacher
from lsr.training.teachers.ensemble import ensemble_scores

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is in a batch.

    queries : int64 ndarray of shape (Q,)
    documents : int64 ndarray of shape (D,), the positives first
    own : int64 ndarray of shape (Q, C), columns of each query's positive and negatives
    groups : int64 ndarray of shape (D,), from 0; the queries that a group's documents were drawn for are of one domain
    """

    queries: NDArray[np.int64]
    documents: NDArray[np.int64]
    own: NDArray[np.int64]
    groups: NDArray[np.int64]


class Sampler:
    """Draws batches.

    Parameters
    ----------
    data : PreparedData
    settings : Sampling
    sources : sequence of Source
        For their weights.
    mined : sequence of int32 ndarray of shape (queries, width)
        As `mine` gives them.
    seed : int

    Raises
    ------
    TrainingDataError
        Nothing is left to train on.
    """

    def __init__(
        self,
        data: PreparedData,
        settings: Sampling,
        sources: Sequence[Source],
        mined: Sequence[NDArray[np.int32]],
        seed: int,
    ) -> None:
        self._data, self._settings, self._mined, self._seed = data, settings, mined, seed
        self._by_domain = _grouped(np.flatnonzero(~data.held_out), data.pairs)
        # No pseudo-query of a document whose own query is held out: it would be nearly that query.
        kept = ~np.isin(data.pseudo[:, 1], data.pairs[data.held_out, 1])
        self._pseudo_by_domain = _grouped(np.flatnonzero(kept), data.pseudo) if settings.pseudo_share else {}
        if not self._by_domain:
            raise TrainingDataError("no pair is left to train on", remedy="Lower data.holdout or add sources")
        if settings.pseudo_share and not self._pseudo_by_domain:
            raise TrainingDataError("sampling.pseudo_share is above 0, but no pseudo-queries were made")
        self._probabilities = self._tempered(self._by_domain, sources)
        self._pseudo_probabilities = self._tempered(self._pseudo_by_domain, sources)
        #: Positives of each query: never its negatives.
        self._positives: dict[int, set[int]] = {}
        for query, document, _ in data.pairs.tolist():
            self._positives.setdefault(query, set()).add(document)

    def draw(self, number: int) -> Drawn:
        """Batch `number` of this seed."""
        rng = np.random.default_rng([self._seed, number])
        settings = self._settings
        group = settings.group or settings.queries
        rows = []
        for _ in range(settings.queries // group):
            pseudo = bool(settings.pseudo_share) and rng.random() < settings.pseudo_share
            by_domain = self._pseudo_by_domain if pseudo else self._by_domain
            odds = self._pseudo_probabilities if pseudo else self._probabilities
            domain = list(by_domain)[int(rng.choice(len(odds), p=odds))]
            chosen = rng.choice(by_domain[domain], group, replace=len(by_domain[domain]) < group)
            rows += [(pseudo, int(row)) for row in chosen]
        pairs = [(self._data.pseudo if pseudo else self._data.pairs)[row] for pseudo, row in rows]
        queries = np.array([pair[0] for pair in pairs], np.int64)
        columns = [np.array([pair[1] for pair in pairs], np.int64)]
        if settings.given_negatives:
            columns += list(np.array([self._given(rng, pseudo, row) for pseudo, row in rows], np.int64).T)
        for mined in self._mined:
            columns += self._hard(rng, mined, queries, columns[0])
        documents = np.stack(columns)
        own = np.arange(documents.size).reshape(documents.shape).T
        groups = np.tile(np.arange(settings.queries) // group, len(documents))
        return Drawn(queries, documents.reshape(-1), own, groups)

    def _given(self, rng: np.random.Generator, pseudo: bool, row: int) -> list[int]:
        """`given_negatives` of the row's own, each once before one comes again; any document where it has none."""
        count = self._settings.given_negatives
        negatives = () if pseudo else self._data.negatives[row]
        if not len(negatives):
            return [int(number) for number in rng.integers(len(self._data.documents), size=count)]
        order = rng.permutation(len(negatives))
        return [int(negatives[order[place % len(order)]]) for place in range(count)]

    def _hard(
        self,
        rng: np.random.Generator,
        mined: NDArray[np.int32],
        queries: NDArray[np.int64],
        positives: NDArray[np.int64],
    ) -> list[NDArray[np.int64]]:
        """`mined_negatives` columns; any document where a query has too few."""
        count = self._settings.mined_negatives
        found = np.empty((count, len(queries)), np.int64)
        for place, query in enumerate(queries.tolist()):
            known = self._positives.get(query, set()) | {int(positives[place])}
            row = [d for d in mined[query].tolist() if d >= 0 and d not in known]
            chosen = rng.permutation(len(row))[:count]
            picked = [row[n] for n in chosen]
            picked += rng.integers(len(self._data.documents), size=count - len(picked)).tolist()
            found[:, place] = picked
        return list(found)

    def _tempered(self, by_domain: Mapping[int, NDArray[np.int64]], sources: Sequence[Source]) -> NDArray[np.float64]:
        odds = np.array([len(rows) ** self._settings.temperature * sources[d].weight for d, rows in by_domain.items()])
        total = odds.sum()
        if len(odds) and not total > 0:
            raise TrainingDataError("every source has weight 0", remedy="Give one a weight above 0")
        return np.asarray(odds / total if len(odds) else odds, np.float64)


def _grouped(rows: NDArray[np.int64], pairs: NDArray[np.int32]) -> dict[int, NDArray[np.int64]]:
    domains = pairs[rows, 2]
    return {int(domain): rows[domains == domain] for domain in np.unique(domains)}


class BatchDataset:
    """Batches as tensors; a map-style dataset for torch's DataLoader, in which item i is the whole batch i.

    Parameters
    ----------
    data, sampler
    teachers : sequence of (Teacher, weight)
    ensemble : Ensemble
    count : int
        Batches.
    chunk : int
        Documents of a chunk, 0 for one chunk. Chunks are cut from the documents sorted by length.
    """

    def __init__(
        self,
        data: PreparedData,
        sampler: Sampler,
        teachers: Sequence[tuple[Teacher, float]],
        ensemble: Ensemble,
        count: int,
        chunk: int,
    ) -> None:
        self._data, self._sampler, self._teachers = data, sampler, list(teachers)
        self._ensemble, self._count, self._chunk = ensemble, count, chunk

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Tensors of batch `number`; see `collated`."""
        import torch

        if not 0 <= number < self._count:
            raise IndexError(number)
        drawn = self._sampler.draw(number)
        batch = collated(self._data, drawn, self._chunk)
        if self._teachers:
            teachers, weights = zip(*self._teachers, strict=True)
            taught = ensemble_scores(teachers, weights, self._ensemble, drawn.queries, drawn.documents, drawn.own)
            batch["teacher"] = torch.from_numpy(taught)
        return batch


def collated(data: PreparedData, drawn: Drawn, chunk: int) -> dict[str, Any]:
    """The tensors of a batch.

    Returns
    -------
    dict
        chunks : list of (ids int64 (n, L), mask bool (n, L)), documents sorted by length, longest first;
        order : int64 (D,), the place of each document among them;
        lengths : int64 (D,), tokens without special ones;
        columns : int64 (U,), the terms of all queries, ascending; queries : float32 (Q, U), 1 where a query has one;
        query_ids, query_mask : (Q, L), the queries as a network reads them;
        own : int64 (Q, C); groups : int64 (D,); same : bool (Q, D), True where a document is the query's positive.
    """
    import torch

    manifest = data.manifest
    tokens = [np.asarray(data.documents[int(d)], np.int64) for d in drawn.documents]
    lengths = np.array([len(row) for row in tokens])
    by_length = np.argsort(-lengths, kind="stable")
    order = np.empty_like(by_length)
    order[by_length] = np.arange(len(by_length))
    size = chunk or len(tokens)
    chunks = [
        framed([tokens[n] for n in by_length[start : start + size]], manifest) for start in range(0, len(tokens), size)
    ]
    special = set(manifest.special_ids)
    asked = [np.asarray(data.queries[int(query)], np.int64) for query in drawn.queries]
    columns = np.array(sorted({int(t) for row in asked for t in row} - special), np.int64)
    presence = np.zeros((len(asked), len(columns)), np.float32)
    for row, terms in enumerate(asked):
        places = np.searchsorted(columns, terms)
        places = places[(places < len(columns))]
        held = np.isin(columns[places], terms)
        presence[row, places[held]] = 1
    query_ids, query_mask = framed(asked, manifest)
    positives = drawn.documents[drawn.own[:, 0]]
    return {
        "chunks": chunks,
        "order": torch.from_numpy(order),
        "lengths": torch.from_numpy(lengths),
        "columns": torch.from_numpy(columns),
        "queries": torch.from_numpy(presence),
        "query_ids": query_ids,
        "query_mask": query_mask,
        "own": torch.from_numpy(drawn.own),
        "groups": torch.from_numpy(drawn.groups),
        "same": torch.from_numpy(drawn.documents[None, :] == positives[:, None]),
    }


def framed(rows: Sequence[NDArray[np.int64]], manifest: DataManifest) -> tuple[torch.Tensor, torch.Tensor]:
    """ids int64 and mask bool of shape (n, L): each row between special tokens, filled up with padding."""
    import torch

    before, after = len(manifest.prefix), len(manifest.suffix)
    longest = max((len(row) for row in rows), default=0) + before + after
    ids = np.full((len(rows), longest), manifest.pad_id, np.int64)
    mask = np.zeros((len(rows), longest), bool)
    for number, row in enumerate(rows):
        stop = before + len(row)
        ids[number, :before] = manifest.prefix
        ids[number, before:stop] = row
        ids[number, stop : stop + after] = manifest.suffix
        mask[number, : stop + after] = True
    return torch.from_numpy(ids), torch.from_numpy(mask)
