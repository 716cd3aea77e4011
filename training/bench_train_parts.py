"""What `bench_train.py` compares: the model and the rows, the clock, and the trainers of the contenders."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import random
import shutil
import statistics
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

CONTENDERS = ("lsr", "lsr naive head", "sentence-transformers")
#: Layers, width, heads, inner width of the models; all with BERT's 30,522 terms.
MODELS = {"quick": (2, 64, 2, 128), "tiny": (2, 128, 2, 512), "22m": (6, 384, 12, 1536)}
#: Terms of a document that the random model starts with: about what trained ones have.
TERMS = 200
RATE, PENALTY = 2e-5, 1e-4
#: Processes that prepare batches for a GPU.
WORKERS = 2

RECIPE = """
[run]
name = "bench"
output = "run"
log_steps = {steps}
save_steps = 1000000
workers = {workers}

[student]
checkpoint = "model"
max_length = {length}

[idf]
table = "none"

[data]
cache = "cache"
holdout = 0

[[data.sources]]
path = "pairs.jsonl"

[sampling]
queries = {queries}
given_negatives = 1
mined_negatives = 0

[losses.infonce]

[regularizers.flops]
weight = {penalty}

[optimizer]
steps = {steps}
learning_rate = {rate}
warmup = 0.0
precision = "{precision}"
head_backend = "{backend}"
"""


# -- what everybody trains on -----------------------------------------------------------------------------------------


def make_world(folder: Path, arguments: argparse.Namespace) -> None:
    """The model, the same as a Router for sentence-transformers, and the rows of one batch."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    from lsr.encoders.export import export_checkpoint
    from lsr.encoders.neural import NeuralEncoder
    from lsr.encoders.registry import CARRIED

    layers, width, heads, inner = MODELS[arguments.model]
    torch.manual_seed(1)
    config = BertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        hidden_dropout_prob=0.0,  # or no two losses would be equal
        attention_probs_dropout_prob=0.0,
    )
    model = BertForMaskedLM(config).eval()
    tokenizer = CARRIED / "splade-tiny" / "tokenizer.json"
    vocabulary = json.loads(tokenizer.read_text())["model"]["vocab"]
    words = [word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2]
    rows = made_rows(words, arguments.documents // 2, arguments.length)
    ids = torch.tensor(
        [[vocabulary[w] for w in ("[CLS]", *row["pos"].split(), "[SEP]")] for row in rows[:16]], dtype=torch.long
    )
    with torch.no_grad():
        peaks = model(input_ids=ids).logits.amax(1)
        share = 1 - TERMS / config.vocab_size
        model.cls.predictions.bias.fill_(-float(peaks.flatten().kthvalue(int(share * peaks.numel())).values))
    model.save_pretrained(folder / "model")
    shutil.copyfile(tokenizer, folder / "model" / "tokenizer.json")
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    encoder = NeuralEncoder(str(folder / "model"), queries="inference-free", max_length=arguments.length, device="cpu")
    export_checkpoint(encoder, folder / "router", format="sentence-transformers")


def made_rows(words: list[str], count: int, tokens: int) -> list[dict[str, Any]]:
    """Queries of words of their positive, a positive and a negative of `tokens` tokens each."""
    chosen = random.Random(tokens)
    rows = []
    for _ in range(count):
        positive, negative = (chosen.choices(words, k=tokens - 2) for _ in range(2))
        rows.append(
            {
                "query": " ".join(chosen.sample(positive, min(8, len(positive)))),
                "pos": " ".join(positive),
                "neg": [" ".join(negative)],
            }
        )
    return rows


# -- the clock --------------------------------------------------------------------------------------------------------


class Stopwatch:
    """Times a trainer's steps after `warm` of them, and the memory that they take."""

    def __init__(self, cuda: bool, warm: int) -> None:
        self._cuda, self._warm = cuda, warm
        self.begun: list[float] = []
        self.steps: list[float] = []
        self.cpu: list[float] = []
        self.losses: list[float] = []

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """`step`, timed."""

        def timed(*arguments: Any, **options: Any) -> Any:
            if len(self.steps) == self._warm:
                self._forget_peak()
            self._wait()
            start, cpu = time.perf_counter(), time.process_time()
            loss = step(*arguments, **options)
            self._wait()
            self.begun.append(start)
            self.steps.append(time.perf_counter() - start)
            self.cpu.append(time.process_time() - cpu)
            self.losses.append(float(loss))
            return loss

        return timed

    def figures(self, documents: int) -> dict[str, float]:
        """Rates, memory and losses."""
        whole = [
            after - before
            for before, after in zip(self.begun[self._warm :], self.begun[self._warm + 1 :], strict=False)
        ]
        found = {
            "documents_per_s": documents / statistics.median(self.steps[self._warm :]),
            "whole_step_documents_per_s": documents / statistics.median(whole),
            "first_loss": self.losses[0],
            "last_loss": self.losses[-1],
        }
        if self._cuda:
            import torch

            return {**found, "peak_mib": torch.cuda.max_memory_allocated() / 2**20}
        cpu = documents / statistics.median(self.cpu[self._warm :])
        return {**found, "documents_per_cpu_s": cpu, "peak_mib": _status("VmHWM") - self._base}

    def _wait(self) -> None:
        if self._cuda:
            import torch

            torch.cuda.synchronize()

    def _forget_peak(self) -> None:
        if self._cuda:
            import torch

            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")
        self._base = _status("VmRSS") if not self._cuda else 0.0


def _status(name: str) -> float:
    """A figure of this process's memory, MiB."""
    return int(Path("/proc/self/status").read_text().partition(f"{name}:")[2].split()[0]) / 1024


# -- the contenders ---------------------------------------------------------------------------------------------------


def ours(folder: Path, arguments: argparse.Namespace, watch: Stopwatch, *, naive: bool) -> None:
    """Our loop, from a recipe to its model."""
    import lsr.training.student as student
    from lsr.training.run import train
    from lsr.training.trainer import SparseTrainer

    if naive:
        if not hasattr(student, "fused_head"):
            raise RuntimeError("the student has no fused_head to be replaced by the naive one")
        student.fused_head = naive_head
    cuda = arguments.device == "cuda"
    recipe = folder / f"recipe-{os.getpid()}.toml"
    text = RECIPE.replace('output = "run"', f'output = "run-{os.getpid()}"')
    recipe.write_text(
        text.format(
            steps=arguments.steps,
            workers=WORKERS if cuda else 0,
            length=arguments.length,
            queries=arguments.documents // 2,
            penalty=PENALTY,
            rate=RATE,
            precision="bf16" if cuda else "fp32",
            backend="auto",
        )
    )
    SparseTrainer.training_step = watch.around(SparseTrainer.training_step)  # type: ignore[method-assign]
    train(recipe, say=lambda line: None, device=None if cuda else "cpu")


def naive_head(states: Any, mask: Any, weight: Any, bias: Any, **options: Any) -> Any:
    """All logits at once, their maximum, its activation."""
    import torch

    logits = torch.nn.functional.linear(states, weight, bias)
    logits = logits.masked_fill(~mask.bool()[..., None], float("-inf"))
    return torch.log1p(torch.relu(logits.amax(1).float()))


def theirs(folder: Path, arguments: argparse.Namespace, watch: Stopwatch) -> None:
    """SparseEncoderTrainer with SpladeLoss; its loss in a plain loop where `datasets` is not installed."""
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.losses import SparseMultipleNegativesRankingLoss, SpladeLoss

    cuda = arguments.device == "cuda"
    model = SparseEncoder(str(folder / "router"), device=arguments.device)
    loss = SpladeLoss(model, SparseMultipleNegativesRankingLoss(model), document_regularizer_weight=PENALTY)
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    columns = {"query": [r["query"] for r in rows], "pos": [r["pos"] for r in rows], "neg": [r["neg"][0] for r in rows]}
    routes = {"query": "query", "pos": "document", "neg": "document"}
    if importlib.util.find_spec("datasets") is not None:
        from datasets import Dataset
        from sentence_transformers import SparseEncoderTrainer, SparseEncoderTrainingArguments
        from transformers import PrinterCallback

        settings = SparseEncoderTrainingArguments(
            output_dir=str(folder / "theirs"),
            per_device_train_batch_size=len(rows),
            max_steps=arguments.steps,
            learning_rate=RATE,
            weight_decay=0.01,
            warmup_steps=0,
            bf16=cuda,
            use_cpu=not cuda,
            logging_steps=arguments.steps,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            router_mapping=routes,
            # An epoch is one batch here: workers would be spawned, each importing the whole library, before every step.
            dataloader_num_workers=0,
        )
        trainer = SparseEncoderTrainer(model, settings, Dataset.from_dict(columns), loss=loss)
        trainer.remove_callback(PrinterCallback)
        trainer.training_step = watch.around(trainer.training_step)
        trainer.train()
        return
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, fused=cuda)

    def step(features: list[Any]) -> torch.Tensor:
        with torch.autocast(arguments.device, torch.bfloat16, enabled=cuda):
            total: torch.Tensor = torch.stack(list(loss(features, None).values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total.detach()

    timed = watch.around(step)
    loss.train()
    for number in range(arguments.steps):
        loss.document_regularizer_weight = PENALTY * min(1.0, number / max(1, arguments.steps // 3)) ** 2
        features = []
        for name, texts in columns.items():
            made = model.preprocess(texts, task=routes[name])
            features.append({k: v.to(model.device) if isinstance(v, torch.Tensor) else v for k, v in made.items()})
        timed(features)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def contend(name: str, folder: Path, arguments: argparse.Namespace, pipe: Connection) -> None:
    """One contender, in a process of its own: says that it is ready, waits, sends its figures or why there are none."""
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(arguments.threads)
    with contextlib.suppress(ImportError):  # what is missing fails in its turn
        if name == "sentence-transformers":
            import sentence_transformers  # noqa: F401
        else:
            import lsr.training.run
            import lsr.training.trainer  # noqa: F401
    pipe.send("ready")
    pipe.recv()
    watch = Stopwatch(arguments.device == "cuda", arguments.warm)
    try:
        if name == "sentence-transformers":
            theirs(folder, arguments, watch)
        else:
            ours(folder, arguments, watch, naive="naive" in name)
        found: dict[str, Any] = dict(watch.figures(arguments.documents))
        if name == "sentence-transformers":
            found["trainer"] = importlib.util.find_spec("datasets") is not None
        pipe.send(found)
    except Exception as error:
        pipe.send({"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"})
        if not isinstance(error, torch.OutOfMemoryError):
            raise
