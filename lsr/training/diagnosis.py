"""Early diagnosis: from a run's figures to a plain sentence on what is wrong and what to change.

Knows the figures of `Objective.figures`. Knows nothing of how training is stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from lsr.errors import DivergedError

#: Mean terms of a document below which a model is empty.
EMPTY = 1.0
#: Share of the vocabulary above which it is dense: at the first batch, and at the end of λ's rise.
DENSE_AT_START, DENSE = 0.5, 0.1
#: Fewer terms than this are never too many.
_FEW = 1000


def diagnose(figures: Mapping[str, float], step: int, vocabulary: int, *, risen: bool) -> None:
    """Raise where training cannot come to good.

    Parameters
    ----------
    figures : mapping
        Means over the last batches.
    step : int
        For the message.
    vocabulary : int
    risen : bool
        Whether λ has reached its full height.

    Raises
    ------
    DivergedError
    """
    bad = [name for name, value in figures.items() if not math.isfinite(value)]
    if bad:
        culprit = next((name for name in bad if name.startswith("loss_")), bad[0])
        raise DivergedError(
            f"at step {step} {culprit} is {figures[culprit]}",
            remedy="Resume from the last checkpoint with a lower learning rate, or with precision fp32",
        )
    terms = figures.get("terms")
    if terms is None:
        return
    if terms < EMPTY:
        where = "before λ has risen: the head's logits are too low" if not risen else "λ is too high"
        raise DivergedError(
            f"at step {step} documents have {terms:.1f} terms on average: the model "
            f"collapsed to empty vectors, {where}",
            remedy="Lower λ or lengthen optimizer.regularizer_warmup; with a new head use student.head = calibrated",
        )
    if terms > max(_FEW, (DENSE if risen else DENSE_AT_START) * vocabulary):
        raise DivergedError(
            f"at step {step} documents have {terms:,.0f} of {vocabulary:,} terms: the vectors are dense, "
            + ("λ is too low" if risen else "the scale of the head's logits is wrong"),
            remedy="Raise λ or set controller.terms"
            if risen
            else 'Use student.head = "calibrated" for this checkpoint',
        )
    if figures.get("score_spread", 1.0) == 0:
        raise DivergedError(
            f"at step {step} every document of a batch has the same score: the vectors are all alike",
            remedy="Lower the learning rate; look whether the queries share any term with the documents",
        )
