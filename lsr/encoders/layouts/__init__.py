"""Checkpoint formats, one file each: what a folder is and how its encoders are read. No model is loaded here.

::

    lsr's own               encoder.json: families that nobody publishes a format for
    sentence-transformers   modules.json: SparseEncoder with SpladePooling, or a Router; old and new module names
    thongnt99               config.json of model_type DualEncoder; shared_encoder/, or query_encoder/ and doc_encoder/
    BGE-M3                  sparse_linear.pt beside an encoder
    COIL, uniCOIL           tok_proj in the weights or in model.pt
    a language model        *ForCausalLM, or an adapter over one
    OpenSearch              *ForMaskedLM with idf.json
    plain                   *ForMaskedLM (naver); two of them in query/ and document/

Ready-made vectors are no encoders: `lsr.interchange` reads those.
"""

from __future__ import annotations

from collections.abc import Callable

from lsr.encoders.checkpoint import Checkpoint
from lsr.encoders.layouts import causal_lm, dual, masked_lm, own, sentence_transformers, token_heads
from lsr.encoders.layouts.base import Layout, LookUp
from lsr.encoders.layouts.chosen import chosen_family
from lsr.errors import EncoderError

__all__ = ["Layout", "LookUp", "read_layout"]

#: In the order in which a folder is tried: the more particular first.
_READERS: tuple[Callable[[Checkpoint], Layout | None], ...] = (
    own.read,
    sentence_transformers.read,
    dual.read,
    token_heads.read,
    causal_lm.read,
    masked_lm.read,
)


def read_layout(checkpoint: Checkpoint, *, family: str | None = None) -> Layout:
    """What the folder is.

    Parameters
    ----------
    family : str, optional
        Read a plain folder as this family instead.

    Raises
    ------
    EncoderError
        It is no encoder that lsr can use; says what it seems to be.
    CorruptionError
        A file of it cannot be read.
    """
    if family is not None:
        return chosen_family(checkpoint, family)
    for read in _READERS:
        if (found := read(checkpoint)) is not None:
            return found
    checkpoint.check()
    architectures = checkpoint.architectures or ["a model of no stated architecture"]
    raise EncoderError(
        f"{checkpoint.name} is {', '.join(architectures)}: it has no masked-language-model head, and no other head "
        "that lsr knows",
        remedy="SPLADE needs a checkpoint whose architecture is *ForMaskedLM; for SPARTA say family=sparta",
    )
