"""The carried masked-LM encoder in plain torch, for a GPU: 1 M documents in about a minute where a CPU takes an hour.

Reads the weights out of a converted encoder's `model.onnx` (their names are the checkpoint's; matrices are transposed,
the attention scale is in the query's matrix, see lsr.encoders.onnx_graph). Knows tokens and vectors, nothing of texts.
`index/bench_index/real.py` runs it, and compares a sample with onnxruntime.

The body runs in float32; logits in float16 on a GPU, where the error (2⁻¹¹ of a logit) is below half a step of the
8-bit impacts. The maximum over positions is taken batch by batch, so logits exist for one batch only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

#: [PAD], [UNK], [CLS], [SEP], [MASK]: they weigh nothing.
SPECIAL = [0, 100, 101, 102, 103]
HEADS_WIDTH = 64


class Encoder:
    """Weights on a device, and the forward pass down to term weights."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], device: str) -> None:
        self.device = torch.device(device)
        self.half = self.device.type == "cuda"
        self.w = {name: torch.from_numpy(np.array(value)).to(self.device) for name, value in weights.items()}
        words = self.w["bert.embeddings.word_embeddings.weight"]
        self.vocabulary = len(words)
        padded = -self.vocabulary % 64
        decoder = F.pad(words, (0, 0, 0, padded))
        self.decoder = (decoder.half() if self.half else decoder).t().contiguous()
        bias = self.w["cls.predictions.bias"].clone()
        bias[SPECIAL] = -1e9
        self.bias = bias
        self.layers = sum(name.endswith("attention.query.weight") for name in self.w)

    def _linear(self, x: Any, name: str) -> Any:
        return x @ self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def _norm(self, x: Any, name: str) -> Any:
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"], 1e-12)

    def __call__(self, ids: Any, lengths: Any) -> Any:
        """Weights (B, V) float32 of int64 ids (B, L), rows padded at the end."""
        rows, length = ids.shape
        real = torch.arange(length, device=self.device)[None] < lengths[:, None]
        x = self.w["bert.embeddings.word_embeddings.weight"][ids] + self.w["bert.embeddings.positions"][:length]
        x = self._norm(x, "bert.embeddings.LayerNorm")
        for layer in range(self.layers):
            name = f"bert.encoder.layer.{layer}"
            q, k, v = (
                self._linear(x, f"{name}.attention.{part}").view(rows, length, -1, HEADS_WIDTH).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=real[:, None, None, :], scale=1.0)
            mixed = mixed.transpose(1, 2).reshape(rows, length, -1)
            x = self._norm(
                x + self._linear(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm"
            )
            inner = F.gelu(self._linear(x, f"{name}.intermediate.dense"))
            x = self._norm(x + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        x = self._norm(
            F.gelu(self._linear(x, "cls.predictions.transform.dense")), "cls.predictions.transform.LayerNorm"
        )
        # padding takes the state of the row's first token, so that the maximum over all positions needs no mask
        x = torch.where(real[:, :, None], x, x[:, :1])
        if self.half:
            x = x.half()
        peak = (x.view(rows * length, -1) @ self.decoder).view(rows, length, -1).amax(1)
        return torch.log1p(torch.relu(peak[:, : self.vocabulary].float() + self.bias))


def by_length(lengths: NDArray[Any]) -> NDArray[np.int64]:
    """The order in which rows are encoded, without the empty ones: shorter first."""
    order = np.argsort(lengths, kind="stable")
    return order[lengths[order] > 0]


@torch.inference_mode()
def encode(
    encoder: Encoder, tokens: NDArray[np.uint16], lengths: NDArray[Any], *, limit: int = 256, budget: int = 65536
) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.float32]]]:
    """Counts, terms (ascending in a row) and weights of batches of rows, in the order of `by_length`.

    Parameters
    ----------
    tokens : uint16 ndarray
        Token ids of all rows, special ones included, one row after the other.
    lengths : integers, of shape (rows,)
        Tokens of each row; a row of none is left out.
    limit : int
        Terms kept of a row, the heaviest.
    budget : int
        Most tokens of a batch, padding included.
    """
    starts = np.concatenate([[0], np.cumsum(lengths.astype(np.int64))])
    order = by_length(lengths)
    first = 0
    while first < len(order):
        last = first + 1
        while last < len(order) and (last + 1 - first) * int(lengths[order[last]]) <= budget:
            last += 1
        rows = order[first:last]
        first = last
        widths = lengths[rows].astype(np.int64)
        ids = np.zeros((len(rows), int(widths[-1])), np.int64)
        inside = np.arange(ids.shape[1])[None] < widths[:, None]
        total = int(widths.sum())
        within = np.arange(total) - np.repeat(np.cumsum(widths) - widths, widths)
        ids[inside] = tokens[np.repeat(starts[rows], widths) + within]
        weights = encoder(torch.from_numpy(ids).to(encoder.device), torch.from_numpy(widths).to(encoder.device))
        long = ((weights > 0).sum(1) > limit).nonzero()[:, 0]
        if len(long):
            best, places = weights[long].topk(limit, dim=1)
            kept = torch.zeros_like(weights[long])
            weights[long] = kept.scatter_(1, places, best)
        found = (weights > 0).nonzero()
        yield (
            torch.bincount(found[:, 0], minlength=len(rows)).to(torch.int32).cpu().numpy().astype(np.uint16),
            found[:, 1].to(torch.int32).cpu().numpy().astype(np.uint16),
            weights[found[:, 0], found[:, 1]].cpu().numpy(),
        )
