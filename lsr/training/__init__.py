"""Training of sparse encoders: `train(Path("recipe.toml"), say=print)`. Needs the extra `train`.

Nothing heavy is imported until a recipe is followed.
"""

from __future__ import annotations

from lsr.training.recipe import Recipe, read_recipe

__all__ = ["Recipe", "read_recipe"]
