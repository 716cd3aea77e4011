"""Losses: values against the plain formula, gradients against finite differences, and what they must ignore."""

from __future__ import annotations

import math

import pytest
import torch

from lsr.errors import InvalidSettingError, TrainingError
from lsr.training.losses import LOSSES, BatchScores, InfoNCE, KLDivergence, Loss, MarginMSE, Pairwise

Q, C = 4, 3


def batch(seed: int = 0, *, teacher: bool = True, same: bool = False) -> BatchScores:
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(Q, Q * C, generator=generator, dtype=torch.float64, requires_grad=True)
    own = torch.arange(Q * C).reshape(C, Q).T.contiguous()
    copies = torch.zeros(Q, Q * C, dtype=torch.bool)
    copies[torch.arange(Q), own[:, 0]] = True
    if same:
        copies[0, 5] = True
    scores = 5 * torch.rand(Q, Q * C, generator=generator, dtype=torch.float64) if teacher else None
    return BatchScores(student, own, copies, scores)


def test_infonce_is_the_cross_entropy_of_the_positive() -> None:
    found = InfoNCE(temperature=0.5)(batch())
    view = batch()
    rows = []
    for query in range(Q):
        scores = [math.exp(s / 0.5) for s in view.student[query].tolist()]
        rows.append(-math.log(scores[int(view.own[query, 0])] / sum(scores)))
    assert float(found.detach()) == pytest.approx(sum(rows) / Q)


def test_infonce_over_own_candidates() -> None:
    view = batch()
    expected = torch.nn.functional.cross_entropy(view.student.gather(1, view.own), torch.zeros(Q, dtype=torch.int64))
    assert float(InfoNCE(pool="own")(view).detach()) == pytest.approx(float(expected.detach()))


def test_a_copy_of_the_positive_is_no_negative() -> None:
    view = batch(same=True)
    InfoNCE()(view).backward()  # type: ignore[no-untyped-call]
    assert view.student.grad is not None
    assert view.student.grad[0, 5] == 0
    assert view.student.grad[1, 5] != 0


def test_false_negatives_are_masked_by_the_teacher() -> None:
    view = batch()
    InfoNCE(mask_false_negatives=True)(view).backward()  # type: ignore[no-untyped-call]
    assert view.teacher is not None
    assert view.student.grad is not None
    above = view.teacher >= view.teacher.gather(1, view.own[:, :1])
    above[torch.arange(Q), view.positives] = False
    assert above.any()
    assert (view.student.grad[above] == 0).all()
    assert (view.student.grad[~above] != 0).sum() > Q


def test_kl_is_the_formula_and_nought_for_the_teacher_itself() -> None:
    view = batch()
    assert view.teacher is not None
    p, q = view.teacher.softmax(1), (view.student / 2).softmax(1)
    expected = (p * (p / q).log()).sum(1).mean() * 4
    assert float(KLDivergence(temperature=2)(view).detach()) == pytest.approx(float(expected.detach()))
    itself = BatchScores(view.teacher.clone(), view.own, view.same, view.teacher)
    assert float(KLDivergence()(itself).detach()) == pytest.approx(0, abs=1e-12)


def test_kl_leaves_out_what_the_teacher_did_not_score() -> None:
    view = batch()
    assert view.teacher is not None
    view.teacher[:, Q:] = torch.nan
    loss = KLDivergence()(view)
    loss.backward()  # type: ignore[no-untyped-call]
    part = KLDivergence()(BatchScores(view.student[:, :Q], view.own[:, :1], view.same[:, :Q], view.teacher[:, :Q]))
    assert float(loss.detach()) == pytest.approx(float(part.detach()))
    assert view.student.grad is not None
    assert view.student.grad.isfinite().all()
    assert (view.student.grad[:, Q:] == 0).all()


def test_kl_leaves_out_a_query_that_the_teacher_did_not_score() -> None:
    """Rows without scores stand beside rows with some; 0 · (−inf) must not make the whole batch NaN."""
    view = batch()
    assert view.teacher is not None
    each = KLDivergence()(BatchScores(view.student[1:], view.own[1:], view.same[1:], view.teacher[1:]))
    view.teacher[0] = torch.nan
    loss = KLDivergence()(view)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(float(each.detach()) * (Q - 1) / Q)
    assert view.student.grad is not None
    assert view.student.grad.isfinite().all()
    assert (view.student.grad[0] == 0).all()


@pytest.mark.parametrize("pairs", ["positive", "all"])
def test_margin_mse_is_the_formula(pairs: str) -> None:
    view = batch()
    assert view.teacher is not None
    s, t = view.student.gather(1, view.own), view.teacher.gather(1, view.own)
    places = [(0, b) for b in range(1, C)] if pairs == "positive" else [(a, b) for a in range(C) for b in range(C)]
    errors = [((s[row, a] - s[row, b]) - (t[row, a] - t[row, b])) ** 2 for row in range(Q) for a, b in places]
    assert float(MarginMSE(pairs=pairs)(view).detach()) == pytest.approx(float(torch.stack(errors).mean().detach()))


def test_margin_mse_without_a_scored_margin_is_nought() -> None:
    view = batch()
    assert view.teacher is not None
    view.teacher[:] = torch.nan
    loss = MarginMSE()(view)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0


def test_pairwise_is_the_formula() -> None:
    view = batch()
    s = view.student.gather(1, view.own)
    expected = (1 + (s[:, 1:] - s[:, :1]).exp()).log().mean()
    assert float(Pairwise()(view).detach()) == pytest.approx(float(expected.detach()))


@pytest.mark.parametrize(
    "loss",
    [InfoNCE(), InfoNCE(pool="own"), KLDivergence(), KLDivergence(pool="own"), MarginMSE(), MarginMSE(pairs="all"),
     Pairwise(), Pairwise(pool="batch")],
    ids=repr,
)  # fmt: skip
def test_gradients_are_those_of_finite_differences(loss: Loss) -> None:
    view = batch(seed=3)

    def value(student: torch.Tensor) -> torch.Tensor:
        return loss(BatchScores(student, view.own, view.same, view.teacher))

    assert torch.autograd.gradcheck(value, (view.student,))


@pytest.mark.parametrize("name", ["kl", "margin_mse"])
def test_a_distilling_loss_without_a_teacher_says_so(name: str) -> None:
    with pytest.raises(TrainingError, match="needs a teacher"):
        LOSSES[name]()(batch(teacher=False))


def test_settings_outside_their_range_are_refused() -> None:
    for make in (
        lambda: InfoNCE(temperature=0),
        lambda: InfoNCE(pool="all"),
        lambda: KLDivergence(pool="x"),
        lambda: MarginMSE(pairs="some"),
        lambda: Pairwise(pool=""),
    ):
        with pytest.raises(InvalidSettingError):
            make()
