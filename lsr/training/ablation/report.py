"""Variants compared: means and spread over seeds, and a paired test of each against the first, as Markdown and JSON.

Knows results of runs. Knows nothing of how they came about.

The test is Fisher's randomisation test over the held-out queries, of each query's reciprocal rank averaged over the
seeds that both variants have. It tells whether the difference is more than the luck of the queries; the spread over
seeds stands beside it, as the luck of training is another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lsr.eval.significance import PairedTest, holm, paired_test
from lsr.training.ablation.plan import Plan, Variant
from lsr.training.ablation.results import FIGURES, Result

_DIGITS = {"mrr": 4, "recall": 4, "terms": 1, "flops": 3, "ubiquitous": 1, "kl": 3}
_HEADS = {"mrr": "MRR@10", "recall": "recall@10", "terms": "terms", "flops": "FLOPS", "ubiquitous": "ubiquitous"}


@dataclass(frozen=True, slots=True)
class Row:
    """A variant: seeds that are done, mean and standard deviation (None of one seed) by figure, and its test.

    `test` and `p` (Holm's) are None for the baseline, and where no queries and seeds are common to both.
    """

    variant: Variant
    seeds: tuple[int, ...]
    mean: dict[str, float]
    deviation: dict[str, float | None]
    test: PairedTest | None = None
    p: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON object."""
        return {
            "seeds": self.seeds,
            "mean": self.mean,
            "deviation": self.deviation,
            "test": self.test.to_dict() if self.test is not None else None,
            "p_holm": self.p,
        }


def compare(plan: Plan, results: Sequence[Result]) -> list[Row]:
    """A row for each variant of which a run is done, in the plan's order."""
    by_variant: dict[str, dict[int, Result]] = {}
    for found in results:
        by_variant.setdefault(found.job.variant.name, {})[found.job.seed] = found
    base = by_variant.get(plan.variants[0].name, {})
    tests = {}
    for variant in plan.variants[1:]:
        test = _tested(by_variant.get(variant.name, {}), base)
        if test is not None:
            tests[variant.name] = test
    adjusted = holm({name: test.permutation_p for name, test in tests.items()})
    return [
        _row(variant, by_variant[variant.name], tests.get(variant.name), adjusted.get(variant.name))
        for variant in plan.variants
        if variant.name in by_variant
    ]


def _tested(system: Mapping[int, Result], base: Mapping[int, Result]) -> PairedTest | None:
    seeds = [seed for seed in system if seed in base]
    pools = {one[seed].pool for one in (system, base) for seed in seeds}
    if len(pools) != 1 or len(system[seeds[0]].reciprocal) < 2:
        return None
    first, second = (np.mean([one[seed].reciprocal for seed in seeds], axis=0) for one in (system, base))
    return paired_test(first, second)


def _row(variant: Variant, runs: Mapping[int, Result], test: PairedTest | None, p: float | None) -> Row:
    mean: dict[str, float] = {}
    deviation: dict[str, float | None] = {}
    for name in FIGURES:
        values = [found.figures[name] for found in runs.values() if name in found.figures]
        if values:
            mean[name] = float(np.mean(values))
            deviation[name] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Row(variant, tuple(sorted(runs)), mean, deviation, test, p)


def as_markdown(plan: Plan, rows: Sequence[Row], notes: Mapping[str, str]) -> str:
    """The table, what the variants are, and what is missing.

    Parameters
    ----------
    plan : Plan
    rows : sequence of Row
    notes : mapping of str to str
        Runs that are not in the table, and why.
    """
    shown = [name for name in FIGURES if any(name in row.mean for row in rows)]
    budget = f"{plan.documents:,} documents each" if plan.documents else "the recipe's steps each"
    lines = [
        f"Recipe `{plan.recipe.name}`, {budget}, seeds {', '.join(map(str, plan.seeds))}. Held-out queries of the"
        " training data, float weights: mean ± standard deviation over seeds. p: randomisation test of reciprocal ranks"
        f" averaged over seeds, against `{plan.variants[0].name}`, by Holm's correction; 95 % interval by bootstrap.",
        "",
        f"| | seeds | {' | '.join(_HEADS.get(name, 'KL') for name in shown)} | difference | p |",
        "|---|---|" + "---|" * (len(shown) + 2),
    ]
    for row in rows:
        figures = " | ".join(_figure(row, name) for name in shown)
        lines.append(f"| {row.variant.name} | {len(row.seeds)} | {figures} | {_difference(row)} |")
    lines += [""]
    for variant in plan.variants:
        settings = f" (`{'`, `'.join(variant.set)}`)" if variant.set else ""
        lines.append(f"- **{variant.name}**: {variant.what or 'the recipe'}{settings}")
    if plan.set:
        lines += ["", f"All with `{'`, `'.join(plan.set)}`."]
    lines += ["", "KL is that of the last entry of the log, to the variant's own teachers over its own batches."]
    if notes:
        lines += ["", "Not in the table: " + "; ".join(f"{name} ({why})" for name, why in notes.items()) + "."]
    return "\n".join(lines) + "\n"


def _figure(row: Row, name: str) -> str:
    if name not in row.mean:
        return ""
    spread, digits = row.deviation[name], _DIGITS[name]
    return f"{row.mean[name]:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread is not None else "")


def _difference(row: Row) -> str:
    if row.test is None or row.p is None:
        return " | "
    test = row.test
    return f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}) | {row.p:.4f}"
