"""Regularisers against the plain formulas; and that the two spellings of IDF-aware training are one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lsr.errors import InvalidSettingError
from lsr.training.losses import BatchScores, InfoNCE
from lsr.training.regularizers import L1, AntiZero, Batch, DfFlops, Flops, GroupDfFlops, IdfFlops

D, V = 6, 20


def batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(D, V, generator=generator, dtype=torch.float64)
    weights = (weights * (torch.rand(D, V, generator=generator) < 0.5)).requires_grad_()
    idf = torch.rand(V, generator=generator, dtype=torch.float64) * 8 + 0.1
    frequency = torch.rand(V, generator=generator, dtype=torch.float64)
    groups = torch.tensor([0, 1, 0, 1, 1, 2])
    return Batch(weights, torch.rand(3, V, generator=generator), torch.arange(D) * 3, idf, frequency, groups)


def test_flops_is_the_formula() -> None:
    view = batch()
    rows = view.documents.tolist()
    expected = sum((sum(row[j] for row in rows) / D) ** 2 for j in range(V))
    assert float(Flops()(view).detach()) == pytest.approx(expected)


def test_the_l0_mask_leaves_short_vectors_alone_but_counts_them() -> None:
    view = batch()
    counts = (view.documents > 0).sum(1)
    threshold = int(counts.median())
    found = Flops(threshold=threshold)(view)
    long = view.documents * (counts > threshold)[:, None]
    assert float(found.detach()) == pytest.approx(float((long.sum(0) / D).square().sum().detach()))
    found.backward()  # type: ignore[no-untyped-call]
    assert view.documents.grad is not None
    assert (view.documents.grad[counts <= threshold] == 0).all()
    assert (view.documents.grad[counts > threshold].abs().sum(1) > 0).all()


def test_the_threshold_grows_with_the_text() -> None:
    view = batch()
    counts = (view.documents > 0).sum(1)
    limits = 2 + 0.5 * view.lengths
    assert (counts > limits).any()
    assert (counts <= limits).any()
    long = view.documents * (counts > limits)[:, None]
    found = Flops(threshold=2, threshold_per_token=0.5)(view)
    assert float(found.detach()) == pytest.approx(float((long.sum(0) / D).square().sum().detach()))


def test_df_flops_weighs_common_terms_more() -> None:
    regularizer = DfFlops(alpha=0.1, beta=10)
    weights = regularizer.activation(torch.tensor([0.0, 0.001, 0.1, 0.5, 1.0], dtype=torch.float64))
    assert weights.tolist() == sorted(weights.tolist())
    assert float(weights[2]) == pytest.approx(0.5)
    assert float(weights[0]) < 1e-3
    assert float(weights[4]) == pytest.approx(1)
    view = batch()
    expected = (regularizer.activation(view.document_frequency) * view.documents.mean(0)).square().sum()
    assert float(regularizer(view).detach()) == pytest.approx(float(expected.detach()))


def test_group_df_flops_is_df_flops_within_each_group() -> None:
    view = batch()
    regularizer = GroupDfFlops(alpha=0.4, beta=4)
    expected = 0.0
    for group in range(3):
        rows = view.documents[view.groups == group]
        within = replace(view, documents=rows, document_frequency=(rows > 0).double().mean(0))
        expected += float(DfFlops(alpha=0.4, beta=4)(within).detach()) / 3
    assert float(regularizer(view).detach()) == pytest.approx(expected)
    one = replace(view, groups=torch.zeros(D, dtype=torch.int64))
    assert float(regularizer(one).detach()) != pytest.approx(expected)


def test_l1_and_anti_zero_are_the_formulas() -> None:
    view = batch()
    assert float(L1()(view).detach()) == pytest.approx(float(view.documents.detach().sum() / D))
    assert float(L1(of="queries")(view)) == pytest.approx(float(view.queries.sum() / 3))
    assert float(AntiZero()(view).detach()) == pytest.approx(float(1 / view.documents.detach().sum() ** 2), rel=1e-6)


@pytest.mark.parametrize(
    "regularizer",
    [Flops(), Flops(threshold=9), IdfFlops(), DfFlops(), GroupDfFlops(), L1(), AntiZero()],
    ids=lambda r: repr(r),
)
def test_gradients_are_those_of_finite_differences(regularizer: Flops) -> None:
    view = batch(seed=5)

    def value(documents: torch.Tensor) -> torch.Tensor:
        return regularizer(replace(view, documents=documents))

    # away from 0, where the number of terms jumps
    assert torch.autograd.gradcheck(value, ((view.documents + 0.1).detach().requires_grad_(),))


def test_the_two_spellings_of_idf_aware_training_have_the_same_gradients() -> None:
    """s = Σ idf q d with FLOPS(d), and s = Σ q d' with Σ (mean d' / idf)², where d' = idf · d (arXiv 2411.04403)."""
    view = batch(seed=7)
    generator = torch.Generator().manual_seed(9)
    queries = (torch.rand(2, V, generator=generator) < 0.4).double()
    own, same = torch.tensor([[0, 2], [1, 3]]), torch.zeros(2, D, dtype=torch.bool)
    penalty, idf = 0.3, view.idf

    d = view.documents.detach().clone().requires_grad_()
    first = InfoNCE()(BatchScores((queries * idf) @ d.T, own, same))
    first = first + penalty * Flops()(replace(view, documents=d, queries=queries))
    first.backward()  # type: ignore[no-untyped-call]

    scaled = (view.documents.detach() * idf).requires_grad_()
    second = InfoNCE()(BatchScores(queries @ scaled.T, own, same))
    second = second + penalty * IdfFlops()(replace(view, documents=scaled, queries=queries))
    second.backward()  # type: ignore[no-untyped-call]

    assert float(first.detach()) == pytest.approx(float(second.detach()), rel=1e-12)
    assert d.grad is not None
    assert scaled.grad is not None
    # d' = idf · d, so a gradient in d is idf times that in d'.
    assert torch.allclose(d.grad, scaled.grad * idf, rtol=1e-10)


def test_settings_outside_their_range_are_refused() -> None:
    for make in (
        lambda: Flops(threshold=-1),
        lambda: IdfFlops(floor=0),
        lambda: DfFlops(alpha=1),
        lambda: L1(of="terms"),
    ):
        with pytest.raises(InvalidSettingError):
            make()
