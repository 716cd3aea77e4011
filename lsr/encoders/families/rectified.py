"""The rectified attention of SPARC in torch: how much each position of a text means each other one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.families.base import Placing
from lsr.encoders.families.models import load_model, read_tensors
from lsr.errors import EncoderError


class RectifiedAttention:
    """A = relu(Q·Kᵀ/√d) for each order of n-grams, with projections of its own."""

    def __init__(self, checkpoint: Checkpoint, heads: str, orders: Sequence[int], placing: Placing) -> None:
        self._model = load_model("AutoModel", checkpoint, placing)
        self._device = placing.torch_device()
        width = int(self._model.config.hidden_size)
        tensors = read_tensors(checkpoint.folder / heads)
        self._heads: list[dict[str, torch.Tensor]] = []
        for order in orders:
            head = {}
            for part, shape in (
                ("query.weight", (width, width)),
                ("query.bias", (width,)),
                ("key.weight", (width, width)),
                ("key.bias", (width,)),
            ):
                found = tensors.get(f"{order}.{part}")
                if found is None or tuple(found.shape) != shape:
                    raise EncoderError(f"{checkpoint.folder / heads} has no {order}.{part} of shape {shape}")
                head[part] = found.to(self._device).float()
            self._heads.append(head)

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.int64], first_only: bool) -> list[NDArray[np.float32]]:
        """(rows, L or 1, L) for each order; 0 from and to padding."""
        with torch.inference_mode():
            real = torch.from_numpy(mask).to(self._device)
            states = self._model(input_ids=torch.from_numpy(ids).to(self._device), attention_mask=real)
            x = states.last_hidden_state.float()
            from_ = x[:, :1] if first_only else x
            result = []
            for head in self._heads:
                query = torch.nn.functional.linear(from_, head["query.weight"], head["query.bias"])
                key = torch.nn.functional.linear(x, head["key.weight"], head["key.bias"])
                attention = (query @ key.transpose(1, 2) / x.shape[-1] ** 0.5).relu_() * real[:, None, :]
                if not first_only:
                    attention = attention * real[:, :, None]
                result.append(attention.cpu().numpy())
            return result
