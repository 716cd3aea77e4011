"""Weighted sums of scores that were divided by their own spread, leg by leg.

Source: "ZMUV" (zero mean, unit variance) of Montague, Aslam, "Relevance score normalization for metasearch", CIKM 2001;
each leg is shifted so that its least hit has 0, which moves all documents alike and leaves the order as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lsr.errors import InvalidSettingError

#: (document id, score), best first.
Hits = Sequence[tuple[str, float]]


def zscore_fusion(
    legs: Sequence[Hits], weights: Sequence[float] | None = None, *, depth: int = 200
) -> list[tuple[str, float]]:
    """Σ_l w_l · (s_l(d) − min_l) / σ_l over the first `depth` hits of each leg, σ_l their standard deviation.

    The least of a leg's hits gets 0, as does a document that the leg has not among them; where all its hits have the
    same score, each gets 1. So a leg counts the more the further its best hits stand out from the rest of its own.
    Documents with equal sums are ordered by the best rank that any leg gives them, then by the earlier leg, so that the
    order does not depend on ids.

    Parameters
    ----------
    legs : sequence of hits
        (document id, score), best first; a leg may be empty.
    weights : sequence of float, optional
        At least 0, one a leg, not all 0; they are divided by their sum. Equal by default.
    depth : int
        Hits of each leg that take part, 1 or more. From 200 to 1,000 makes little difference, below 100 it is worse; a
        leg that was cut at fewer has another spread and another least hit.

    Returns
    -------
    list of (document id, score)
        Best first, scores of 0 and above in standard deviations: every document that a leg of weight above 0 has.

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
        values = _normalised([score for _, score in hits])
        for rank, ((document, _), value) in enumerate(zip(hits, values, strict=True)):
            sums[document] = sums.get(document, 0.0) + share * value
            places[document] = min(places.get(document, (rank, number)), (rank, number))
    return sorted(sums.items(), key=lambda hit: (-hit[1], places[hit[0]]))


def _normalised(scores: list[float]) -> list[float]:
    """(s − min) / σ of finite scores, however large, small or close together they are."""
    least, most = min(scores), max(scores)
    if most == least:
        return [1.0] * len(scores)
    # First by a power of two, which rounds nothing, to within ±1, then by the range: so nothing overflows.
    scaled = np.ldexp(np.array(scores, np.float64), -math.frexp(max(-least, most))[1])
    shifted = (scaled - scaled.min()) / (scaled.max() - scaled.min())
    found: list[float] = (shifted / shifted.std()).tolist()
    return found


def _shares(legs: int, weights: Sequence[float] | None) -> list[float]:
    if not legs:
        raise InvalidSettingError("there is no leg to fuse")
    given = [1.0] * legs if weights is None else [float(weight) for weight in weights]
    if len(given) != legs:
        raise InvalidSettingError(f"{len(given)} weights for {legs} legs", remedy="Give one weight a leg")
    if not all(math.isfinite(weight) and weight >= 0 for weight in given) or not sum(given) > 0:
        raise InvalidSettingError(f"weights are {given}, they must be 0 or more and not all 0")
    return [weight / sum(given) for weight in given]
