"""Decoder-only language models, and adapters (LoRA, by peft) over any model."""

from __future__ import annotations

from lsr.encoders.checkpoint import ADAPTER, CONFIG, Checkpoint
from lsr.encoders.families import Side
from lsr.encoders.layouts.base import Layout


def read(checkpoint: Checkpoint) -> Layout | None:
    """None where it is neither."""
    folder = checkpoint.folder
    adapter = (folder / ADAPTER).is_file()
    if not adapter and not (folder / CONFIG).is_file():
        return None
    architectures = checkpoint.base().architectures if adapter else checkpoint.architectures
    causal = any("CausalLM" in name or "LMHeadModel" in name for name in architectures)
    masked = any("MaskedLM" in name for name in architectures)
    if not causal and not (adapter and masked):
        return None
    checkpoint.check()
    family = "causal-lm" if causal else "masked-lm"
    format = f"{'adapter over a ' if adapter else ''}{'causal' if causal else 'masked'} language model"
    document = Side(family, checkpoint)
    query = Side(family, checkpoint, {"first": "Query:", "second": "\nQuery again:"}) if causal else None
    facts = {"base model": checkpoint.base().name} if adapter else {}
    return Layout(format, checkpoint, document, query, facts=facts)
