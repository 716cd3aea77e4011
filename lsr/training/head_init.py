"""A masked-LM head for a body that has none, set from a sample of texts so that training starts from a lexical match.

A random head collapses or drowns everything; this one already finds a text by its own words. The transform keeps the
direction of the states but for the mean word embedding, to which every token is similar; its GELU works where it is
linear; each term's bias lies at what texts without the term seldom reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from lsr.errors import TrainingError
from lsr.training.student import Student

#: Standard deviation of the transform's output, and what is added so that GELU is linear there; the norm removes it.
_SPREAD, _SHIFT = 0.7, 3.0
#: Share of the texts without a term whose maximal logit may exceed its bias.
_EXCEEDED = 0.008
#: Mean of what a text's own terms exceed it by: they weigh log1p(2.5) = 1.25.
_OWN_EXCESS = 2.5

#: Token ids of texts to (ids, mask) as the network reads them.
Frame = Callable[[Sequence[int]], tuple[torch.Tensor, torch.Tensor]]


@torch.no_grad()
def calibrate(student: Student, texts: Sequence[np.ndarray], frame: Frame) -> dict[str, float]:
    """Set the head of a BERT-like student.

    Parameters
    ----------
    student : Student
        With `cls.predictions` as its head, tied to the word embeddings.
    texts : sequence of int arrays
        Token ids of some hundred texts or more, without special tokens.
    frame : callable
        Numbers of texts to a padded batch (ids, mask).

    Returns
    -------
    dict
        `scale` (of the norm), `terms` (mean terms of a text afterwards), `own` (share of a text's own terms that
        weigh something).

    Raises
    ------
    TrainingError
        Another kind of head.
    """
    transform = getattr(getattr(getattr(student.network, "cls", None), "predictions", None), "transform", None)
    if transform is None or not student._tied:
        raise TrainingError(
            f"the head of {type(student.network).__name__} cannot be calibrated", remedy='Use head = "keep", or a BERT'
        )
    device = student.bias.device
    body = student.network.base_model
    embeddings = student.decoder_weight.float()
    mean = embeddings.mean(0)
    states, masks = [], []
    for start in range(0, len(texts), 64):
        ids, mask = frame(range(start, min(start + 64, len(texts))))
        ids, mask = ids.to(device), mask.to(device)
        found = body(input_ids=ids, attention_mask=mask.long()).last_hidden_state.float()
        states.append(found)
        masks.append(mask)
    projection = torch.eye(len(mean), device=device) - torch.outer(mean, mean) / mean.square().sum()
    real = torch.cat([state[mask] for state, mask in zip(states, masks, strict=True)])
    centre = real.mean(0)
    alpha = _SPREAD / ((real - centre) @ projection.T).std()
    transform.dense.weight.copy_(alpha * projection)
    transform.dense.bias.copy_(_SHIFT - alpha * (projection @ centre))
    transform.LayerNorm.weight.fill_(1.0)
    transform.LayerNorm.bias.zero_()
    peaks = torch.cat([_peaks(transform(s), m, embeddings) for s, m in zip(states, masks, strict=True)])
    own = torch.zeros_like(peaks, dtype=torch.bool)
    for number, text in enumerate(texts):
        own[number, torch.from_numpy(np.asarray(text, np.int64)).to(device)] = True
    bias, excess = _thresholds(peaks, own)
    scale = _OWN_EXCESS / max(excess, 1e-3)
    transform.LayerNorm.weight.fill_(scale)
    student.bias.copy_(-scale * bias)
    active = peaks > bias
    return {
        "scale": scale,
        "terms": float(active.sum(1).float().mean()),
        "own": float((active & own).sum() / own.sum().clamp(min=1)),
    }


def _peaks(states: torch.Tensor, mask: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
    """(n, V): maximal logit over real positions, without bias."""
    states = torch.where(mask[..., None], states, states[:, :1])
    found = states.new_empty(len(states), len(embeddings))
    for start in range(0, len(embeddings), 2048):
        found[:, start : start + 2048] = (states @ embeddings[start : start + 2048].T).amax(1)
    return found


def _thresholds(peaks: torch.Tensor, own: torch.Tensor) -> tuple[torch.Tensor, float]:
    """(V,) logits that texts without the term seldom exceed, and the mean excess of texts with it."""
    count = len(peaks)
    bias = torch.empty(peaks.shape[1], device=peaks.device)
    rank = max(1, round(_EXCEEDED * count))
    for start in range(0, peaks.shape[1], 2048):
        part, held = peaks[:, start : start + 2048], own[:, start : start + 2048]
        others = part.masked_fill(held, float("-inf")).topk(min(rank + 1, count), dim=0).values[-1]
        # A term of most texts has too few texts without it to tell.
        common = held.float().mean(0) > 0.5
        bias[start : start + 2048] = torch.where(common, part.median(0).values, others)
    excess = (peaks - bias)[own]
    excess = excess[excess.isfinite()]
    return bias, float(excess.mean()) if len(excess) else 1.0
