"""`gather`: everything that is computed once for a recipe's data and teachers, from its cache or into it.

Knows the order of the steps. Each step is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsr.encoders.checkpoint import CONFIG, Checkpoint
from lsr.encoders.manifest import TOKENIZER
from lsr.errors import RecipeError
from lsr.training.data.mining import mine
from lsr.training.data.prepare import prepare
from lsr.training.data.prepared import PreparedData
from lsr.training.recipe import Recipe
from lsr.training.teachers import Teacher, make_teacher

Say = Callable[[str], None]


def gather(recipe: Recipe, path: Path, say: Say) -> tuple[PreparedData, list[Teacher], list[NDArray[np.int32]]]:
    """Everything that is computed once for a recipe: data, teachers' vectors, mined negatives."""
    folder = path.resolve().parent
    student = recipe.student
    tokenizer = student.checkpoint / TOKENIZER
    if not tokenizer.is_file():
        raise RecipeError(f"student.checkpoint {student.checkpoint} has no {TOKENIZER}", remedy="Check the path")
    if (student.checkpoint / CONFIG).is_file():
        # What a model has no positions for would be an index error, hours from now.
        Checkpoint.locate(str(student.checkpoint)).reading_length(student.max_length, student.max_length)
    data = prepare(recipe.data, tokenizer, student.max_length, folder, recipe.data_seed, say)
    teachers = [make_teacher(entry, data, folder) for entry in recipe.teachers]
    for teacher in teachers:
        teacher.prepare(say)
    by_name = {teacher.name: teacher for teacher in teachers}
    mined = []
    for settings in recipe.mining:
        by = by_name.get(settings.by) or _bm25(teachers, data, say)
        mined.append(mine(settings, data, by, say))
    for teacher in teachers:
        teacher.meet(mined, say)
    return data, teachers, mined


def _bm25(teachers: list[Teacher], data: PreparedData, say: Say) -> Teacher:
    """The recipe's BM25 teacher, or one of default settings."""
    from lsr.training.teachers.bm25 import BM25Teacher

    found = next((teacher for teacher in teachers if isinstance(teacher, BM25Teacher)), None)
    if found is None:
        found = BM25Teacher(data, "bm25", k1=0.9, b=0.4)
        found.prepare(say)
    return found
