"""A small world to train in: pairs about a dozen things, a random masked LM as the student, a random teacher."""

from __future__ import annotations

import json
import random
from pathlib import Path

from encoder_checkpoints import save_checkpoint, small_config, small_tokenizer

THINGS = ["moon", "sea", "tide", "bread", "ice", "year", "bridge"]
FILL = ["the", "of", "to", "a", "in", "was"]

RECIPE = """
[run]
name = "tiny"
output = "run"
seed = 3
log_steps = {log_steps}
save_steps = {save_steps}

[student]
checkpoint = "student"
max_length = 24
{student}

[data]
cache = "cache"
holdout = 8
{data}

[[data.sources]]
path = "pairs.jsonl"
licence = "CC0-1.0"

[sampling]
queries = 8
{sampling}

[losses.{loss}]
{loss_settings}

[regularizers.flops]
weight = 0.001

[optimizer]
steps = {steps}
learning_rate = 0.003
precision = "fp32"
{optimizer}

{more}
"""

TEACHERS = """
[[teachers]]
kind = "dense"
name = "body"
checkpoint = "teacher"

[[teachers]]
kind = "bm25"
name = "bm25"
weight = 0.5
"""


def write_pairs(path: Path, count: int = 120, seed: int = 0) -> Path:
    """Pairs whose query names a thing that its positive is about."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        thing, other = rng.sample(THINGS, 2)
        words = [thing, *rng.choices(FILL, k=6), *"abcdefghij"[: rng.randint(0, 9)], str(number)[-1], thing]
        rows.append({"query": f"{rng.choice(FILL)} {thing} {other[0]}", "pos": " ".join(words), "n": number})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_teacher(folder: Path) -> Path:
    """A BERT body with random weights and its tokenizer, as a sentence-embedding checkpoint."""
    import torch
    from transformers import BertModel

    torch.manual_seed(11)
    BertModel(small_config("bert")).save_pretrained(folder)
    small_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def write_recipe(
    folder: Path,
    *,
    steps: int = 6,
    log_steps: int = 1,
    save_steps: int = 2,
    loss: str = "infonce",
    loss_settings: str = "",
    student: str = "",
    data: str = "",
    sampling: str = "mined_negatives = 0",
    optimizer: str = "",
    more: str = "",
) -> Path:
    """A whole world in `folder`, and the recipe's path."""
    if not (folder / "pairs.jsonl").exists():
        write_pairs(folder / "pairs.jsonl")
    if not (folder / "student").exists():
        save_checkpoint(folder / "student")
    if "teacher" in more and not (folder / "teacher").exists():
        write_teacher(folder / "teacher")
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(**{k: v for k, v in locals().items() if k not in ("folder", "path")}))
    return path


def log_of(output: Path) -> dict[int, float]:
    """Objective by step, of a run's log."""
    rows = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    return {row["step"]: row["objective"] for row in rows if "objective" in row}


def write_cross_encoder(folder: Path, labels: int = 1) -> Path:
    """A sequence classifier with random weights and its tokenizer."""
    import torch
    from transformers import BertForSequenceClassification

    torch.manual_seed(13)
    config = small_config("bert")
    config.num_labels = labels
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name.lower():
                parameter.copy_(torch.randn_like(parameter) * 0.25)  # so that scores differ
    model.save_pretrained(folder)
    small_tokenizer().save(str(folder / "tokenizer.json"))
    return folder
