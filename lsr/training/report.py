"""What a finished run says about its model: a card, and plots of the log where matplotlib is installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsr.training.data.prepared import DataManifest
from lsr.training.log import read_log
from lsr.training.overrides import spelled
from lsr.training.recipe import Recipe

#: Plotted in one figure each: title and names.
_PLOTS = (
    ("loss", ("objective",)),
    ("terms of a document", ("terms", "heldout_terms")),
    ("FLOPS", ("flops", "heldout_flops")),
    ("held-out MRR@10", ("heldout_mrr",)),
)


def write_report(
    folder: Path,
    recipe: Recipe,
    recipe_text: str,
    data: DataManifest,
    output: Path,
    figures: dict[str, float],
    *,
    overrides: Mapping[str, Any] | None = None,
) -> None:
    """Write `README.md` (the card), `recipe.toml` and, where it can be drawn, `run.png` into a model's folder.

    Parameters
    ----------
    folder : Path
    recipe : Recipe
    recipe_text : str
        TOML of what was run.
    data : DataManifest
    output : Path
        The run's folder, with `log.jsonl`.
    figures : dict
        Of the held-out queries.
    overrides : mapping, optional
        What of the recipe was overridden.
    """
    log = read_log(output)
    start = output / "before.json"
    before = json.loads(start.read_text()) if start.is_file() else {}
    (folder / "recipe.toml").write_text(recipe_text)
    drawn = _draw(log, folder / "run.png")
    text = card(recipe, data, log, figures, before=before, plotted=drawn, overrides=overrides)
    (folder / "README.md").write_text(text)


def card(
    recipe: Recipe,
    data: DataManifest,
    log: list[dict[str, Any]],
    figures: dict[str, float],
    *,
    before: dict[str, float],
    plotted: bool,
    overrides: Mapping[str, Any] | None = None,
) -> str:
    """The model card, Markdown; `before` are the figures of the untrained student, where they were taken."""
    optimizer, sampling = recipe.optimizer, recipe.sampling
    teachers = ", ".join(f"{t.name} ({t.kind}, weight {t.weight:g})" for t in recipe.teachers) or "none"
    parts = [f"{name} {table.get('weight', 1):g}" for name, table in {**recipe.losses, **recipe.regularizers}.items()]
    speed = [row["documents_per_second"] for row in log if "documents_per_second" in row]
    lines = [
        f"# {recipe.run.name}",
        "",
        f"A learned sparse encoder, trained by lsr from `{recipe.student.checkpoint.name}`. Queries: "
        + (
            "their words × `idf.json`, no network." if recipe.student.queries == "inference-free" else "by the network."
        ),
        "",
        "## Training",
        "",
        f"- {optimizer.steps:,} steps of {sampling.queries} queries"
        f" × {optimizer.accumulation} accumulated, learning rate {optimizer.learning_rate:g}, seed {recipe.run.seed};"
        " the whole recipe is in `recipe.toml`",
        f"- teachers: {teachers}",
        f"- losses and regularisers with their weights: {', '.join(parts)}",
        f"- texts cut to {recipe.student.max_length} tokens",
    ]
    if overrides:
        lines.append(f"- differs from its recipe by `{'`, `'.join(spelled(overrides))}`")
    if speed:
        lines.append(f"- {sorted(speed)[len(speed) // 2]:,.0f} documents a second (median)")
    lines += ["", "## Data", "", "| source | pairs | left out as judged | licence |", "|---|---|---|---|"]
    for record in data.sources:
        lines.append(
            f"| {record['name']} | {record['kept']:,} | {record['judged']} | {record['licence'] or 'not given'} |"
        )
    lines += [
        "",
        f"{data.documents:,} distinct texts, {data.queries:,} queries, {data.pseudo_queries:,} pseudo-queries. "
        "The weights derive from these texts and from the checkpoints named above; their licences apply.",
    ]
    judged = {name: value for name, value in figures.items() if name.startswith("judged_")}
    figures = {name: value for name, value in figures.items() if name not in judged}
    if figures:
        lines += ["", "## Held-out training pairs", "", "| figure | before | after |", "|---|---|---|"]
        for name, value in figures.items():
            was = f"{before[name]:.4g}" if name in before else ""
            lines.append(f"| {name.removeprefix('heldout_')} | {was} | {value:.4g} |")
        lines += ["", "These compare runs; they are no measure of search on other collections."]
    if judged:
        chosen = f"split `{recipe.evaluate.split}`" + (
            ", test queries: for the record" if recipe.evaluate.on_test else ""
        )
        lines += ["", f"## Judged collections ({chosen})", "", "| figure | value |", "|---|---|"]
        lines += [
            f"| {name.removeprefix('judged_').replace('_', ' ')} | {value:.4g} |" for name, value in judged.items()
        ]
    if plotted:
        lines += ["", "![the run](run.png)"]
    return "\n".join(lines) + "\n"


def _draw(log: list[dict[str, Any]], path: Path) -> bool:
    try:
        import matplotlib.figure
    except ImportError:
        return False
    figure: Any = matplotlib.figure.Figure(figsize=(10, 6), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(2, 2).flat, _PLOTS, strict=True):
        for name in names:
            points = [(row["step"], row[name]) for row in log if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), label=name)
        axes.set_title(title)
        axes.set_xlabel("step")
    figure.savefig(path, dpi=90)
    return True
