"""Fusion: one ranking out of several. A function a file; rankings in, rankings out, nothing of where they came from."""

from __future__ import annotations

from lsr.fusion.zscore import zscore_fusion

__all__ = ["zscore_fusion"]
