"""Teachers by kind, and the one place where a recipe's `[[teachers]]` become objects."""

from __future__ import annotations

from pathlib import Path

from lsr.errors import RecipeError
from lsr.training.data.prepared import PreparedData
from lsr.training.recipe import TeacherEntry
from lsr.training.tables import resolve
from lsr.training.teachers.base import Teacher


def make_teacher(entry: TeacherEntry, data: PreparedData, folder: Path) -> Teacher:
    """The teacher of a recipe's entry; nothing is computed yet.

    Parameters
    ----------
    entry : TeacherEntry
    data : PreparedData
    folder : Path
        What a relative checkpoint is relative to.
    """
    if entry.kind == "bm25":
        from lsr.training.teachers.bm25 import BM25Teacher

        return BM25Teacher(data, entry.name, k1=entry.k1, b=entry.b)
    if entry.kind == "scores":
        from lsr.training.teachers.given import GivenScores

        return GivenScores(data, entry.name)
    if not entry.checkpoint:
        raise RecipeError(f"the teacher {entry.name} has no checkpoint", remedy="Add checkpoint = …")
    path = resolve(entry.checkpoint, folder)
    if entry.kind == "dense":
        from lsr.training.teachers.dense import DenseTeacher

        return DenseTeacher(data, entry.name, path, max_length=entry.max_length)
    if entry.kind == "cross-encoder":
        from lsr.training.teachers.cross_encoder import CrossEncoderTeacher

        return CrossEncoderTeacher(data, entry.name, path, max_length=entry.max_length)
    from lsr.training.teachers.sparse import SparseTeacher

    name = str(path) if path.is_dir() else entry.checkpoint
    return SparseTeacher(data, entry.name, name, max_length=entry.max_length)


__all__ = ["Teacher", "make_teacher"]
