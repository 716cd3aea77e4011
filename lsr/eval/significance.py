"""Is a difference between two systems more than the luck of the queries? Paired tests, Holm's correction, bootstrap.

Works on arrays of per-query values, paired by query. Knows nothing of runs, collections and measures.

Source of the tests: Smucker, Allan, Carterette, "A comparison of statistical significance tests for information
retrieval evaluation", CIKM 2007 (Student's paired t and Fisher's randomisation test agree there and are recommended).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsr.errors import EvaluationError, MissingExtraError

_Key = TypeVar("_Key")

#: Random sign flips of the randomisation test and resamples of the bootstrap; the seed of both.
RESAMPLES, SEED = 9_999, 42

#: Differences this small are ties of floating point, not of systems.
_EPSILON = 1e-9

#: Values that a resampling holds in memory at once.
_BATCH_VALUES = 2_000_000


@dataclass(frozen=True, slots=True)
class PairedTest:
    """System against baseline, over the same queries.

    `difference` is mean(system) − mean(baseline) with its bootstrap interval `low`…`high`; `wins`, `ties` and `losses`
    count queries; `t_p` and `permutation_p` are two-sided. `effect` is Cohen's d of the paired differences (None where
    they do not vary).
    """

    queries: int
    difference: float
    low: float
    high: float
    t_p: float
    permutation_p: float
    wins: int
    ties: int
    losses: int
    effect: float | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def paired_test(
    system: ArrayLike,
    baseline: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    confidence: float = 0.95,
) -> PairedTest:
    """Compare two systems query by query.

    Parameters
    ----------
    system, baseline : array-like of shape (queries,)
        Values of one measure; entry i of both belongs to the same query.
    resamples : int
        Sign flips of the randomisation test (all 2^queries where they are fewer), and bootstrap resamples.
    seed : int
        Of both.
    confidence : float in (0, 1)
        Of the bootstrap interval.

    Raises
    ------
    EvaluationError
        Other than two arrays of the same queries, two of them at least, with finite values.
    MissingExtraError
        SciPy is not installed.
    """
    first, second = np.asarray(system, np.float64), np.asarray(baseline, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise EvaluationError(f"paired values of the shapes {first.shape} and {second.shape}")
    differences = first - second
    if len(differences) < 2:
        raise EvaluationError(f"a paired test needs two queries or more, not {len(differences)}")
    if not np.isfinite(differences).all():
        raise EvaluationError("a value to be tested is not finite")
    differences[np.abs(differences) < _EPSILON] = 0.0
    low, high = bootstrap_interval(differences, resamples=resamples, seed=seed, confidence=confidence)
    deviation = float(differences.std(ddof=1))
    mean = float(differences.mean())
    return PairedTest(
        queries=len(differences),
        difference=mean,
        low=low,
        high=high,
        t_p=_t_test(differences),
        permutation_p=_randomisation_test(differences, resamples, seed),
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        effect=mean / deviation if deviation > _EPSILON else None,
    )


def bootstrap_interval(
    values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = SEED, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean: queries are drawn with replacement.

    Source: Efron, Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13.
    """
    sample = np.asarray(values, np.float64)
    _check_resampling(resamples, confidence)
    if len(sample) < 2 or np.ptp(sample) == 0:  # nothing varies: neither does the mean
        mean = float(sample.mean())
        return mean, mean
    found = (
        _stats()
        .bootstrap(
            (sample,),
            np.mean,
            n_resamples=resamples,
            batch=_batch(sample),
            confidence_level=confidence,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
        .confidence_interval
    )
    return float(found.low), float(found.high)


def holm(p_values: Mapping[_Key, float]) -> dict[_Key, float]:
    """p-values of one family, adjusted so that the chance of any false finding stays below the level.

    The i-th smallest of m is multiplied by m − i + 1 (i from 1), never falls below the one before, nor rises above 1.
    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Raises
    ------
    EvaluationError
        A value that is no probability.
    """
    for key, value in p_values.items():
        if not 0 <= value <= 1:
            raise EvaluationError(f"the p-value of {key} is {value}")
    adjusted: dict[_Key, float] = {}
    running = 0.0
    for place, (key, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, value * (len(p_values) - place)))
        adjusted[key] = running
    return {key: adjusted[key] for key in p_values}


def pair_up(
    system: Mapping[str, float], baseline: Mapping[str, float]
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Query ids and the two float64 arrays of shape (queries,) that `paired_test` takes.

    Raises
    ------
    EvaluationError
        The two were measured over different queries: a pair would be missing, and with it the denominator.
    """
    if system.keys() != baseline.keys():
        odd = sorted(system.keys() ^ baseline.keys())
        raise EvaluationError(
            f"the two systems were measured over different queries ({len(odd)} differ, first: {odd[0]!r})",
            remedy="Measure both against the same judgements",
        )
    queries = list(baseline)
    return (
        queries,
        np.array([system[query] for query in queries], np.float64),
        np.array([baseline[query] for query in queries], np.float64),
    )


def _t_test(differences: NDArray[np.float64]) -> float:
    """Two-sided p of Student's paired t. Without any variance the answer is exact: 1 for none, 0 for a constant."""
    if np.ptp(differences) < _EPSILON:
        return 1.0 if abs(differences[0]) < _EPSILON else 0.0
    return float(_stats().ttest_1samp(differences, 0.0).pvalue)


def _randomisation_test(differences: NDArray[np.float64], resamples: int, seed: int) -> float:
    """Two-sided p of Fisher's randomisation test: under the null, each query's difference has either sign."""
    if not differences.any():
        return 1.0
    met = differences[differences != 0]  # a flipped 0 is the same 0
    if len(met) == 1:
        return 1.0
    found = _stats().permutation_test(
        (met,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=_batch(met),
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _batch(sample: NDArray[np.float64]) -> int:
    return max(1, _BATCH_VALUES // max(1, len(sample)))


def _check_resampling(resamples: int, confidence: float) -> None:
    if resamples < 1:
        raise EvaluationError(f"resamples is {resamples}, it must be 1 or more")
    if not 0 < confidence < 1:
        raise EvaluationError(f"confidence is {confidence}, it must lie between 0 and 1")


def _stats() -> Any:
    try:
        import scipy.stats
    except ModuleNotFoundError:
        raise MissingExtraError("a test of significance", "eval") from None
    return scipy.stats


def worst_first(differences: Mapping[str, float], most: int) -> Sequence[str]:
    """Ids of the queries whose values differ most, the greatest difference either way first; equal ones in order."""
    ranked = sorted(differences, key=lambda query: -abs(differences[query]))
    return [query for query in ranked[:most] if abs(differences[query]) >= _EPSILON]
