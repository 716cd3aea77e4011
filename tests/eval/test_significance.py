"""Tests of significance: against SciPy, known examples, and systems that are better, or the same, by construction."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from lsr.errors import EvaluationError
from lsr.eval.significance import bootstrap_interval, holm, pair_up, paired_test, worst_first


def _system(generator: np.random.Generator, queries: int = 200) -> np.ndarray:
    return generator.beta(2, 2, queries)


def test_a_system_that_is_better_by_construction_is_found_significant() -> None:
    generator = np.random.default_rng(1)
    baseline = _system(generator)
    better = np.clip(baseline + generator.normal(0.03, 0.1, len(baseline)), 0, 1)
    found = paired_test(better, baseline)
    assert found.t_p < 0.01
    assert found.permutation_p < 0.01
    assert 0 < found.low < found.difference < found.high
    assert found.wins > found.losses
    assert found.effect is not None
    assert found.effect > 0.2


def test_two_identical_systems_are_not() -> None:
    values = _system(np.random.default_rng(2))
    found = paired_test(values, values.copy())
    assert (found.t_p, found.permutation_p) == (1.0, 1.0)
    assert (found.difference, found.low, found.high, found.effect) == (0.0, 0.0, 0.0, None)
    assert (found.wins, found.ties, found.losses) == (0, len(values), 0)


def test_floating_point_dust_is_a_tie() -> None:
    values = _system(np.random.default_rng(3))
    assert paired_test(values + 1e-12, values).ties == len(values)


def test_noise_is_called_significant_about_as_often_as_the_level_says() -> None:
    generator = np.random.default_rng(4)
    found = [paired_test(_system(generator, 40), _system(generator, 40), resamples=499, seed=run) for run in range(120)]
    assert sum(test.t_p < 0.05 for test in found) <= 14  # 6 expected; more than 14 has a probability below .1 %
    assert sum(test.permutation_p < 0.05 for test in found) <= 14


def test_the_t_test_is_scipys() -> None:
    generator = np.random.default_rng(5)
    first, second = _system(generator), _system(generator)
    assert paired_test(first, second).t_p == pytest.approx(scipy.stats.ttest_rel(first, second).pvalue)


def test_the_randomisation_test_of_few_queries_counts_every_assignment_of_signs() -> None:
    differences = np.array([0.3, 0.1, 0.25, -0.05, 0.2, 0.15, 0.4])
    observed = abs(differences.mean())
    means = [abs((differences * signs).mean()) for signs in itertools.product((1, -1), repeat=len(differences))]
    expected = np.mean([mean >= observed - 1e-12 for mean in means])
    assert paired_test(differences, np.zeros(7)).permutation_p == pytest.approx(expected)


def test_a_constant_difference_needs_no_test() -> None:
    found = paired_test(np.full(30, 0.6), np.full(30, 0.5))
    assert found.t_p == 0.0
    assert found.permutation_p < 0.001
    assert [found.low, found.high] == pytest.approx([0.1, 0.1])


def test_one_query_that_differs_shows_nothing() -> None:
    baseline = np.zeros(50)
    system = baseline.copy()
    system[7] = 1.0
    assert paired_test(system, baseline).permutation_p == 1.0


def test_seeds_make_the_same_figures_again() -> None:
    generator = np.random.default_rng(6)
    first, second = _system(generator, 60), _system(generator, 60)
    assert paired_test(first, second, seed=7) == paired_test(first, second, seed=7)
    assert paired_test(first, second, seed=7) != paired_test(first, second, seed=8)


def test_holm_on_a_known_example() -> None:
    """R: p.adjust(c(.01, .04, .03, .005), "holm") gives .03 .06 .06 .02."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == {
        "a": pytest.approx(0.03),
        "b": pytest.approx(0.06),
        "c": pytest.approx(0.06),
        "d": pytest.approx(0.02),
    }
    assert list(found) == ["a", "b", "c", "d"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_order_and_lies_between_the_value_and_bonferroni(values: list[float]) -> None:
    given_values = dict(enumerate(values))
    found = holm(given_values)
    for key, value in given_values.items():
        assert value <= found[key] <= min(1.0, value * len(values)) + 1e-12
        assert all(found[key] <= found[other] + 1e-12 for other in found if given_values[other] >= value)


def test_no_family_and_no_probability() -> None:
    assert holm({}) == {}
    with pytest.raises(EvaluationError, match=r"p-value of x is 1\.5"):
        holm({"x": 1.5})


def test_an_interval_holds_the_mean_and_narrows_with_more_queries() -> None:
    generator = np.random.default_rng(8)
    few, many = _system(generator, 25), _system(generator, 2500)
    low, high = bootstrap_interval(few)
    narrow_low, narrow_high = bootstrap_interval(many)
    assert low < few.mean() < high
    assert narrow_high - narrow_low < (high - low) / 4
    assert bootstrap_interval([0.25]) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("system", "baseline", "message"),
    [
        ([0.1, 0.2], [0.1], "shapes"),
        ([0.1], [0.2], "two queries or more"),
        ([0.1, float("nan")], [0.1, 0.2], "not finite"),
        ([[0.1, 0.2]], [[0.1, 0.2]], "shapes"),
    ],
)
def test_what_cannot_be_tested_is_refused(system: list[float], baseline: list[float], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        paired_test(system, baseline)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(EvaluationError, match="resamples is 0"):
        paired_test([0.1, 0.2], [0.2, 0.1], resamples=0)
    with pytest.raises(EvaluationError, match="confidence is 1"):
        bootstrap_interval([0.1, 0.2], confidence=1)


def test_pairs_are_by_query_and_none_may_be_missing() -> None:
    queries, first, second = pair_up({"a": 0.1, "b": 0.2}, {"b": 0.4, "a": 0.3})
    assert (queries, first.tolist(), second.tolist()) == (["b", "a"], [0.2, 0.1], [0.4, 0.3])
    with pytest.raises(EvaluationError, match="different queries"):
        pair_up({"a": 0.1}, {"b": 0.1})


def test_the_worst_come_first_and_ties_do_not_come() -> None:
    assert worst_first({"a": 0.1, "b": -0.5, "c": 0.0, "d": 0.5}, 3) == ["b", "d", "a"]
