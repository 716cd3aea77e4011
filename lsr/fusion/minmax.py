"""Weighted sums of scores that were brought between 0 and 1, leg by leg."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lsr.errors import InvalidSettingError

#: (document id, score), best first.
Hits = Sequence[tuple[str, float]]


def minmax_fusion(
    legs: Sequence[Hits], weights: Sequence[float] | None = None, *, depth: int = 100
) -> list[tuple[str, float]]:
    """Σ_l w_l · (s_l(d) − min_l) / (max_l − min_l) over the first `depth` hits of each leg.

    The least of a leg's hits gets 0, as does a document that the leg has not among them; where all its hits have the
    same score, each gets 1. Documents with equal sums are ordered by the best rank that any leg gives them, then by the
    earlier leg, so that the order does not depend on ids.

    Parameters
    ----------
    legs : sequence of hits
        (document id, score), best first; a leg may be empty.
    weights : sequence of float, optional
        At least 0, one a leg, not all 0; they are divided by their sum. Equal by default.
    depth : int
        Hits of each leg that take part, 1 or more.

    Returns
    -------
    list of (document id, score)
        Best first, scores within 0 and 1: every document that a leg of weight above 0 has.

    Raises
    ------
    InvalidSettingError
        No leg, weights or a depth that are none, a document twice in a leg, a score that is not finite.
    """
    shares = _shares(len(legs), weights)
    if depth < 1:
        raise InvalidSettingError(f"depth is {depth}, it must be 1 or more")
    sums: dict[str, float] = {}
    places: dict[str, tuple[int, int]] = {}
    for number, (leg, share) in enumerate(zip(legs, shares, strict=True)):
        hits = list(leg[:depth])
        if len({document for document, _ in hits}) < len(hits):
            raise InvalidSettingError(f"leg {number} has a document twice")
        if not all(math.isfinite(score) for _, score in hits):
            raise InvalidSettingError(f"leg {number} has a score that is not finite")
        if not hits or not share:
            continue
        least, most = min(score for _, score in hits), max(score for _, score in hits)
        for rank, (document, score) in enumerate(hits):
            value = (score - least) / (most - least) if most > least else 1.0
            sums[document] = sums.get(document, 0.0) + share * value
            places[document] = min(places.get(document, (rank, number)), (rank, number))
    return sorted(sums.items(), key=lambda hit: (-hit[1], places[hit[0]]))


def _shares(legs: int, weights: Sequence[float] | None) -> list[float]:
    if not legs:
        raise InvalidSettingError("there is no leg to fuse")
    given = [1.0] * legs if weights is None else [float(weight) for weight in weights]
    if len(given) != legs:
        raise InvalidSettingError(f"{len(given)} weights for {legs} legs", remedy="Give one weight a leg")
    if not all(math.isfinite(weight) and weight >= 0 for weight in given) or not sum(given) > 0:
        raise InvalidSettingError(f"weights are {given}, they must be 0 or more and not all 0")
    return [weight / sum(given) for weight in given]
