"""Evaluation: collections, systems, measures, cost, significance, reports, and figures that must come out again.

A worked example is in eval/README.md.
"""

from lsr.eval.campaign import Campaign, run_campaign
from lsr.eval.collections import (
    BeirFolder,
    Collection,
    FilesCollection,
    IrDatasetsCollection,
    Qrels,
    load_collection,
)
from lsr.eval.command import EvalRequest, parse_command
from lsr.eval.comparison import Comparison
from lsr.eval.cost import Cost, measure_cost
from lsr.eval.diagnosis import Diagnosis, explain_query
from lsr.eval.evaluate import EvaluationResult, evaluate_encoder, evaluate_index, evaluate_system
from lsr.eval.gather import gather
from lsr.eval.measures import DEFAULT_MEASURES, Scores, measure_run
from lsr.eval.records import Record, read_record, record_of, write_record
from lsr.eval.regressions import Regression, RegressionReport, Verdict, run_regressions
from lsr.eval.report import build_report, write_report
from lsr.eval.runs import Run, read_run, write_run
from lsr.eval.significance import PairedTest, bootstrap_interval, holm, paired_test
from lsr.eval.systems import IndexSystem, RunSystem, System, open_system, parse_system
from lsr.eval.vocabulary import VocabularyReport, vocabulary_report

__all__ = [
    "DEFAULT_MEASURES",
    "BeirFolder",
    "Campaign",
    "Collection",
    "Comparison",
    "Cost",
    "Diagnosis",
    "EvalRequest",
    "EvaluationResult",
    "FilesCollection",
    "IndexSystem",
    "IrDatasetsCollection",
    "PairedTest",
    "Qrels",
    "Record",
    "Regression",
    "RegressionReport",
    "Run",
    "RunSystem",
    "Scores",
    "System",
    "Verdict",
    "VocabularyReport",
    "bootstrap_interval",
    "build_report",
    "evaluate_encoder",
    "evaluate_index",
    "evaluate_system",
    "explain_query",
    "gather",
    "holm",
    "load_collection",
    "measure_cost",
    "measure_run",
    "open_system",
    "paired_test",
    "parse_command",
    "parse_system",
    "read_record",
    "read_run",
    "record_of",
    "run_campaign",
    "run_regressions",
    "vocabulary_report",
    "write_record",
    "write_report",
    "write_run",
]
