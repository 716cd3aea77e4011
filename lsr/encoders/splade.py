"""The older name of `lsr.encoders.neural.NeuralEncoder`, from when SPLADE was all that it read."""

from __future__ import annotations

from lsr.encoders.neural import NeuralEncoder as SpladeEncoder

__all__ = ["SpladeEncoder"]
