"""The families of sparse encoders, one file each, all of one shape; here they are by name.

Those whose terms are a tokenizer's tokens are `Network`s behind `lsr.encoders.neural.NeuralEncoder`. Three have terms
of their own and are encoders themselves: `deepimpact` (words), `ngrams` (hashed n-grams) and `lsr.encoders.bm25`.
Importing this loads no torch: a family's module does.
"""

from __future__ import annotations

import importlib

from lsr.encoders.families.base import Family, Network, Placing, Side
from lsr.errors import InvalidSettingError

__all__ = ["FAMILIES", "Family", "Network", "Placing", "Side", "family_named", "load_network"]

#: One line on each.
FAMILIES = {
    "masked-lm": "SPLADE: a masked language model's logits, pooled (v1 sum, v2/++/v3 max, ℓ0 log1p∘log1p)",
    "token-weights": "a weight for each token of the text by a small head (uniCOIL, BGE-M3 sparse, MLP heads)",
    "sparta": "SPARTA: the best match of each input embedding with a position of the text",
    "sparterm": "SparTerm: an importance predictor, and a gate on what may be added to a text",
    "causal-lm": "a decoder-only language model over the text given twice (Echo), causal or bidirectional",
}


def family_named(name: str) -> Family:
    """The family of that name, whose module is imported; InvalidSettingError where there is none."""
    if name not in FAMILIES:
        raise InvalidSettingError(f"family is {name!r}, it must be one of {', '.join(FAMILIES)}")
    family: Family = importlib.import_module(f"lsr.encoders.families.{name.replace('-', '_')}").FAMILY
    return family


def load_network(side: Side, placing: Placing) -> Network:
    """The network of a side; InvalidSettingError for an option that its family does not have."""
    family = family_named(side.family)
    for name in side.options:
        if name not in family.options:
            raise InvalidSettingError(
                f"{side.checkpoint.name}: the family {family.name} has no option {name!r}",
                remedy=f"Its options are {', '.join(family.options)}",
            )
    return family.load(side, placing)
