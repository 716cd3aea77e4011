"""Evaluation of a student on judged collections while it is trained: saved, indexed and searched as users will.

Knows `lsr.eval` and a student's files. What is evaluated, and why not on test queries, is said in
`lsr.training.tables_evaluate.Evaluate`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsr.encoders.settings import Setting
from lsr.errors import EvaluationError, RecipeError
from lsr.eval.collections.beir import BeirFolder
from lsr.training.data.pairs import source_file
from lsr.training.tables_data import Source
from lsr.training.tables_evaluate import Evaluate

if TYPE_CHECKING:
    from lsr.training.student import Student

#: Before the name of each figure.
PREFIX = "judged_"


class JudgedEvaluation:
    """Figures of a student on the judged collections of a recipe.

    Parameters
    ----------
    settings : Evaluate

    Raises
    ------
    RecipeError
        A collection cannot be read; names it.
    EvaluationError, MissingExtraError
        An unknown measure; the extra `eval` is not installed.
    """

    def __init__(self, settings: Evaluate) -> None:
        from lsr.eval.measures import parse_measures

        parse_measures(settings.measures)
        self._settings = settings
        self.collections = []
        for folder in settings.judged:
            try:
                self.collections.append(BeirFolder(folder, split=settings.split))
            except EvaluationError as error:
                raise RecipeError(f"evaluate.judged: {error.message}", remedy=error.remedy) from None

    def figures(self, student: Student, device: Any) -> dict[str, float]:
        """`judged_NAME_MEASURE` for each collection and measure, and `judged_NAME_terms`, mean terms of a document.

        Documents are encoded on `device`.
        """
        from lsr.eval.evaluate import evaluate_index
        from lsr.eval.indexing import indexed

        found: dict[str, float] = {}
        settings: dict[str, Setting] = {"max_length": self._settings.max_length, "device": str(device)}
        with tempfile.TemporaryDirectory(prefix="lsr-judged-") as scratch:
            student.save(Path(scratch))
            for collection in self.collections:
                name = f"{PREFIX}{collection.name}_"
                with indexed(scratch, collection, settings, self._settings.query_idf or None, None) as (index, _):
                    result = evaluate_index(index, collection, measures=self._settings.measures)
                    info = index.info()
                found |= {name + measure: value for measure, value in result.measures.items()}
                found[f"{name}terms"] = info.terms_per_document
        return found

    def warnings(self, sources: Sequence[Source], folder: Path) -> list[str]:
        """What must be known of the figures, given what is trained on; `folder` is what paths are relative to."""
        lines = []
        if self._settings.on_test:
            lines.append("evaluate: these are test queries; their figures are for the record, choose nothing by them")
        trained = {
            path.resolve()
            for source in sources
            if source.path.startswith("beir:") and source.split == self._settings.split
            if (path := source_file(source, folder)) is not None
        }
        lines += [
            f"evaluate: the {self._settings.split} queries of {collection.name} are trained on too; its figures flatter"
            for collection in self.collections
            if collection.folder.resolve() in trained
        ]
        return lines
