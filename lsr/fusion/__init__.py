"""Fusion: one ranking out of several. A function a file; rankings in, rankings out, nothing of where they came from."""

from __future__ import annotations

from lsr.fusion.minmax import minmax_fusion

__all__ = ["minmax_fusion"]
