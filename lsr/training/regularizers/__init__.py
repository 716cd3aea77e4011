"""Regularisers by name. A recipe mixes them: `[regularizers.flops]` with a `weight` (λ) and its own settings."""

from __future__ import annotations

from lsr.training.regularizers.anti_zero import AntiZero
from lsr.training.regularizers.base import Batch, Regularizer
from lsr.training.regularizers.df_flops import DfFlops
from lsr.training.regularizers.flops import Flops
from lsr.training.regularizers.idf_flops import IdfFlops
from lsr.training.regularizers.l1 import L1

REGULARIZERS: dict[str, type[Flops] | type[IdfFlops] | type[DfFlops] | type[L1] | type[AntiZero]] = {
    "flops": Flops,
    "idf_flops": IdfFlops,
    "df_flops": DfFlops,
    "l1": L1,
    "anti_zero": AntiZero,
}

__all__ = ["L1", "REGULARIZERS", "AntiZero", "Batch", "DfFlops", "Flops", "IdfFlops", "Regularizer"]
