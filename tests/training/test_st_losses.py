"""Losses and regularisers against those of sentence-transformers, where it has the same: values and gradients.

Both see the same embeddings: a query, its positive and its negatives, as sparse vectors with zeros in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from lsr.training.losses import BatchScores, InfoNCE, KLDivergence, MarginMSE
from lsr.training.regularizers import Batch, Flops

losses = pytest.importorskip("sentence_transformers.sparse_encoder.losses")

Q, NEGATIVES, V = 5, 3, 40
Embeddings = list[torch.Tensor]


def embeddings(seed: int, negatives: int = NEGATIVES) -> Embeddings:
    """A query, a positive and negatives: float64 tensors of shape (Q, V) that take gradients."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(2 + negatives):
        weights = torch.rand(Q, V, generator=generator, dtype=torch.float64) * 1.5
        found.append((weights * (torch.rand(Q, V, generator=generator) < 0.4)).requires_grad_())
    return found


def labels(seed: int, negatives: int = NEGATIVES) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + 100)
    return 3 * torch.rand(Q, 1 + negatives, generator=generator, dtype=torch.float64)


def ours(columns: Embeddings, teacher: torch.Tensor | None = None) -> BatchScores:
    """What a loss of ours sees of them."""
    documents = torch.cat(columns[1:])
    own = torch.arange(len(documents)).reshape(-1, Q).T.contiguous()
    same = torch.zeros(Q, len(documents), dtype=torch.bool)
    same[torch.arange(Q), own[:, 0]] = True
    spread = None
    if teacher is not None:
        spread = torch.full((Q, len(documents)), torch.nan, dtype=torch.float64).scatter(1, own, teacher)
    return BatchScores(columns[0] @ documents.T, own, same, spread)


def gradients(columns: Embeddings, loss: torch.Tensor) -> Embeddings:
    return list(torch.autograd.grad(loss, columns))


def agree(seed: int, negatives: int, mine: Callable[[Embeddings], Any], theirs: Callable[[Embeddings], Any]) -> None:
    columns = embeddings(seed, negatives)
    one, other = mine(columns), theirs(columns)
    assert float(one.detach()) == pytest.approx(float(other.detach()), rel=1e-9)
    assert float(one.detach()) > 0
    for left, right in zip(gradients(columns, one), gradients(columns, other), strict=True):
        assert torch.allclose(left, right, rtol=1e-8, atol=1e-12)


def made(name: str, **settings: Any) -> Any:
    return getattr(losses, name)(torch.nn.Identity(), **settings)


@pytest.mark.parametrize("negatives", [0, 1, 3])
@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_infonce(negatives: int, temperature: float) -> None:
    theirs = made("SparseMultipleNegativesRankingLoss", scale=1 / temperature)
    agree(
        1,
        negatives,
        lambda columns: InfoNCE(temperature=temperature)(ours(columns)),
        lambda columns: theirs.compute_loss_from_embeddings(columns, None),
    )


@pytest.mark.parametrize("negatives", [1, 3])
def test_margin_mse(negatives: int) -> None:
    theirs, teacher = made("SparseMarginMSELoss"), labels(2, negatives)
    agree(
        2,
        negatives,
        lambda columns: MarginMSE()(ours(columns, teacher)),
        lambda columns: theirs.compute_loss_from_embeddings(columns, teacher),
    )


@pytest.mark.parametrize(("student", "teacher"), [(1.0, 1.0), (2.0, 2.0), (0.5, 3.0)])
def test_kl_divergence_over_own_candidates(student: float, teacher: float) -> None:
    theirs = made("SparseDistillKLDivLoss", student_temperature=student, teacher_temperature=teacher)
    taught = labels(3)
    settings = {"temperature": student, "teacher_temperature": teacher}
    for pool in ("own", "batch"):  # what a teacher did not score has no part, so both pools are the same
        loss = KLDivergence(**settings, pool=pool)
        agree(
            3,
            NEGATIVES,
            lambda columns, loss=loss: loss(ours(columns, taught)),  # type: ignore[misc]
            lambda columns: theirs.compute_loss_from_embeddings(columns, taught),
        )


@pytest.mark.parametrize("threshold", [0, 14])
def test_flops_and_its_l0_mask(threshold: int) -> None:
    theirs = made("FlopsLoss", threshold=threshold or None)

    def mine(columns: Embeddings) -> Any:
        documents = torch.cat(columns[1:])
        nothing = torch.zeros(V, dtype=torch.float64)
        lengths = torch.zeros(len(documents), dtype=torch.int64)
        found = Flops(threshold=threshold)(Batch(documents, columns[0], lengths, nothing, nothing, lengths))
        return found + 0 * columns[0].sum()  # queries have no part

    def other(columns: Embeddings) -> Any:
        return theirs.compute_loss_from_embeddings(torch.cat(columns[1:])) + 0 * columns[0].sum()

    counts = (torch.cat(embeddings(4)[1:]) > 0).sum(1)
    assert (counts <= 14).any()
    assert (counts > 14).any()
    agree(4, NEGATIVES, mine, other)


def test_a_whole_objective_of_ranking_and_penalty() -> None:
    """SpladeLoss: base loss + λ · FLOPS of the documents, as an `Objective` sums them."""
    ranking, flops = made("SparseMultipleNegativesRankingLoss"), made("FlopsLoss")
    penalty = 0.05

    def mine(columns: Embeddings) -> Any:
        documents = torch.cat(columns[1:])
        nothing = torch.zeros(V, dtype=torch.float64)
        lengths = torch.zeros(len(documents), dtype=torch.int64)
        batch = Batch(documents, columns[0], lengths, nothing, nothing, lengths)
        return InfoNCE()(ours(columns)) + penalty * Flops()(batch)

    def theirs(columns: Embeddings) -> Any:
        base = ranking.compute_loss_from_embeddings(columns, None)
        return base + penalty * flops.compute_loss_from_embeddings(torch.cat(columns[1:]))

    agree(5, 2, mine, theirs)
