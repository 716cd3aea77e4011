"""Regularisers by name. A recipe mixes them: `[regularizers.flops]` with a `weight` (λ) and its own settings."""

from __future__ import annotations

from lsr.training.regularizers.anti_zero import AntiZero
from lsr.training.regularizers.base import Batch, Regularizer
from lsr.training.regularizers.df_flops import DfFlops, GroupDfFlops
from lsr.training.regularizers.flops import Flops
from lsr.training.regularizers.idf_flops import IdfFlops
from lsr.training.regularizers.l1 import L1

_Class = type[Flops] | type[IdfFlops] | type[DfFlops] | type[GroupDfFlops] | type[L1] | type[AntiZero]

REGULARIZERS: dict[str, _Class] = {
    "flops": Flops,
    "idf_flops": IdfFlops,
    "df_flops": DfFlops,
    "group_df_flops": GroupDfFlops,
    "l1": L1,
    "anti_zero": AntiZero,
}

__all__ = ["L1", "REGULARIZERS", "AntiZero", "Batch", "DfFlops", "Flops", "GroupDfFlops", "IdfFlops", "Regularizer"]
