"""Training speed and memory: our loop with the fused head and with a naive one, and sentence-transformers' trainer.

Each contender trains the same model of random weights on the same batch with the same losses (in-batch cross-entropy
and FLOPS, queries by look-up), through its own trainer, in a process of its own; nothing is fetched. The clock is
around the trainers' `training_step` (forward, backward) and from one to the next (with optimiser and data). Losses of
the first and the last step are given so that one sees that all do the same. Without the package `datasets`, which
SparseEncoderTrainer asks for, its model and its loss are run in a plain loop, and the table says so.

Prints a table and one JSON object as the last line; --to writes the table into a file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_train_parts import CONTENDERS, MODELS, contend, make_world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--shape", help="documents of a batch × tokens of each, for example 768x128")
    parser.add_argument("--model", choices=tuple(MODELS), help="of random weights (default: 22m on CUDA, else tiny)")
    parser.add_argument("--steps", type=int, help="of each contender")
    parser.add_argument("--threads", type=int, default=1, help="of each contender on a CPU (default: 1)")
    parser.add_argument("--contenders", nargs="+", default=CONTENDERS, choices=CONTENDERS)
    parser.add_argument("--quick", action="store_true", help="a small model, a small batch, few steps")
    parser.add_argument("--to", type=Path, help="write the table here")
    arguments = parser.parse_args()
    cuda = arguments.device == "cuda"
    quick, usual = ("24x32", "quick", 6), ("768x128", "22m", 24) if cuda else ("48x128", "tiny", 12)
    shape, model, steps = quick if arguments.quick else usual
    arguments.model = arguments.model or model
    arguments.steps = arguments.steps or steps
    arguments.documents, arguments.length = map(int, (arguments.shape or shape).split("x"))
    arguments.warm = min(6, arguments.steps // 3)
    if arguments.documents % 2 or arguments.documents < 4 or arguments.steps < 6:
        parser.error("a batch has an even number of documents, 4 or more, and a run 6 steps or more")
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true", "HF_DATASETS_OFFLINE": "1"}
    warnings.simplefilter("ignore")
    figures: dict[str, dict[str, Any]] = {}
    # All import at once, then wait for their turn: only one computes at a time.
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="lsr-bench-train-") as scratch:
        waiting = {}
        for name in arguments.contenders:
            mine, its = spawn.Pipe()
            runner = spawn.Process(target=contend, args=(name, Path(scratch), arguments, its))
            runner.start()
            its.close()
            waiting[name] = runner, mine
        make_world(Path(scratch), arguments)
        for _, pipe in waiting.values():
            pipe.poll(120)  # until it has imported
        for name, (runner, pipe) in waiting.items():
            figures[name] = turn(pipe)
            runner.join()
            print(name, json.dumps(figures[name]), file=sys.stderr, flush=True)
    report = as_table(figures, arguments)
    print(report)
    if arguments.to is not None:
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        arguments.to.write_text(report)
    print(json.dumps({"shape": f"{arguments.documents}x{arguments.length}", "model": arguments.model, **figures}))


def turn(pipe: Connection) -> dict[str, Any]:
    """Let a contender begin; its figures."""
    try:
        pipe.recv()
        pipe.send("go")
        found: dict[str, Any] = pipe.recv()
    except (EOFError, BrokenPipeError):
        found = {"failed": "the process ended without a word"}
    return found


def as_table(figures: dict[str, dict[str, Any]], arguments: argparse.Namespace) -> str:
    """Markdown."""
    base = figures.get("sentence-transformers", {})
    lines = [
        f"# Training ({time.strftime('%Y-%m-%d')})",
        "",
        f"`python training/bench_train.py {' '.join(sys.argv[1:])}` on {machine(arguments)}.",
        f"Batches of {arguments.documents} documents of {arguments.length} tokens, model {arguments.model} of random"
        f" weights, {arguments.steps} steps, medians without the first {arguments.warm}. Documents a second (times"
        " those of sentence-transformers); peak memory in MiB (share of theirs)"
        + ("." if arguments.device == "cuda" else ", above what the process had before a step."),
        "",
        "| | forward + backward | with optimiser and data | peak memory | loss, first and last step |",
        "|---|---|---|---|---|",
    ]
    for name, found in figures.items():
        if "failed" in found:
            lines.append(f"| {name} | {found['failed']} | | | |")
            continue
        label = name if found.get("trainer", True) else f"{name} (its loss in a plain loop: no `datasets` here)"
        cells = [_ratio(found, base, key) for key in ("documents_per_s", "whole_step_documents_per_s", "peak_mib")]
        cells.append(f"{found['first_loss']:.4f}, {found['last_loss']:.4f}")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    if arguments.device == "cpu":
        lines += ["", "| | forward + backward, documents by CPU second |", "|---|---|"]
        lines += [
            f"| {name} | {_ratio(found, base, 'documents_per_cpu_s')} |"
            for name, found in figures.items()
            if "failed" not in found
        ]
    return "\n".join(lines) + "\n"


def _ratio(found: dict[str, Any], base: dict[str, Any], key: str) -> str:
    value, other = found[key], base.get(key)
    return f"{value:,.0f}" + (f" ({value / other:.2f}×)" if other and found is not base else "")


def machine(arguments: argparse.Namespace) -> str:
    import torch

    if arguments.device == "cuda":
        return f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}"
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "an unnamed processor")
    return f"{name}, {arguments.threads} thread(s), torch {torch.__version__}"


if __name__ == "__main__":
    main()
