"""Evaluation: collections, measures, runs, provenance and figures that must come out again."""

from lsr.eval.collections import BeirFolder, Collection, IrDatasetsCollection, Qrels, load_collection
from lsr.eval.command import EvalRequest, parse_command
from lsr.eval.evaluate import EvaluationResult, evaluate_encoder, evaluate_index
from lsr.eval.measures import DEFAULT_MEASURES, Scores, measure_run
from lsr.eval.regressions import Regression, RegressionReport, Verdict, run_regressions
from lsr.eval.runs import Run, read_run, write_run

__all__ = [
    "DEFAULT_MEASURES",
    "BeirFolder",
    "Collection",
    "EvalRequest",
    "EvaluationResult",
    "IrDatasetsCollection",
    "Qrels",
    "Regression",
    "RegressionReport",
    "Run",
    "Scores",
    "Verdict",
    "evaluate_encoder",
    "evaluate_index",
    "load_collection",
    "measure_run",
    "parse_command",
    "read_run",
    "run_regressions",
    "write_run",
]
