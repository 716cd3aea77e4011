"""A comparison drawn: figures as SVG that take the colour of the text around them, so that they read on light and dark.

matplotlib is used without its global state (no pyplot, no rcParams left changed) and loaded only here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lsr.errors import MissingExtraError
from lsr.eval.comparison import Comparison
from lsr.eval.significance import pair_up

#: Stands for the text's colour while drawing; becomes `currentColor`.
_INK = "#010203"

#: Colours that keep their contrast on white and on near-black, and a shape for each, so that colour is not needed.
_COLOURS = ("#3b82f6", "#e08a00", "#10a37f", "#e5484d", "#8b5cf6", "#d6409f", "#0e9aa7", "#7a9a01")
_SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")

#: Costs that quality is drawn against: field of `Cost`, axis title.
_COSTS = (("p50_ms", "p50 latency, ms"), ("terms_per_document", "terms a document"), ("index_bytes", "index, bytes"))

#: Panels of query differences that are drawn at most.
_MOST_PANELS = 12


def draw(name: str, comparison: Comparison) -> list[tuple[str, str]]:
    """The figures of that name: (caption, SVG) pairs; none where there is nothing to draw.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    with _library().rc_context({**_STYLE, "svg.hashsalt": name}):
        return _FIGURES[name](comparison)


def _quality(comparison: Comparison) -> list[tuple[str, str]]:
    measure = comparison.measures[0]
    sets, systems = comparison.sets, comparison.systems
    figure = _figure(7.5, 0.9 + len(sets) * (0.22 + 0.14 * len(systems)))
    axes = figure.add_subplot()
    for number, system in enumerate(systems):
        shift = (number - (len(systems) - 1) / 2) * 0.7 / max(1, len(systems))
        for place, name in enumerate(sets):
            value, interval = comparison.value(name, system, measure), comparison.interval(name, system, measure)
            if value is None or interval is None:
                continue
            colour, shape = _look(comparison, system)
            axes.plot(interval, [place + shift] * 2, color=colour, linewidth=1.6, solid_capstyle="round")
            axes.plot(
                [value],
                [place + shift],
                shape,
                color=colour,
                markersize=5,
                label=system if place == 0 else "_nolegend_",
            )
    axes.set_yticks(range(len(sets)), sets)
    axes.set_ylim(len(sets) - 0.5, -0.5)
    axes.set_xlabel(measure)
    _legend(figure, comparison, systems)
    return [(f"{measure} by set, with 95 % bootstrap intervals over queries", _svg(figure, "quality"))]


def _cost(comparison: Comparison) -> list[tuple[str, str]]:
    measure = comparison.measures[0]
    costed = {key: record for key, record in comparison.records.items() if record.cost is not None}
    systems = [system for system in comparison.systems if any(key[1] == system for key in costed)]
    sets = [name for name in comparison.sets if all((name, system) in costed for system in systems)]
    panels = []
    for field, title in _COSTS:
        points = []
        for system in systems:
            values = [getattr(costed[name, system].cost, field) for name in sets]
            if values and all(value is not None for value in values):
                quality = float(np.mean([costed[name, system].measures[measure] for name in sets]))
                points.append((system, float(np.mean(values)), quality))
        if points:
            panels.append((title, points))
    if not panels:
        return []
    figure = _figure(3.1 * len(panels) + 0.6, 3.3)
    drawn = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, points) in zip(drawn, panels, strict=True):
        for system, cost, quality in points:
            colour, shape = _look(comparison, system)
            axes.plot([cost], [quality], shape, color=colour, markersize=8)
        if min(point[1] for point in points) > 0:
            axes.set_xscale("log")
            axes.margins(x=0.25)
        axes.margins(y=0.25)
        axes.set_xlabel(title)
        _few_ticks(axes, [point[1] for point in points])
    drawn[0].set_ylabel(measure)
    _legend(figure, comparison, [system for system in comparison.systems if system in systems])
    over = sets[0] if len(sets) == 1 else f"mean of {len(sets)} sets"
    return [(f"Quality against cost ({over}); up and to the left is better", _svg(figure, "cost"))]


def _queries(comparison: Comparison) -> list[tuple[str, str]]:
    measure = comparison.measures[0]
    panels = []
    for system, baseline in comparison.pairs:
        for name in comparison.sets:
            one, other = comparison.records.get((name, system)), comparison.records.get((name, baseline))
            if one is not None and other is not None:
                _, first, second = pair_up(one.per_query[measure], other.per_query[measure])
                panels.append((f"{name}: {system} − {baseline}", np.sort(first - second)[::-1]))
    panels = panels[:_MOST_PANELS]
    if not panels:
        return []
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure = _figure(3.3 * across, 2.3 * down)
    drawn = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, (title, values) in zip(drawn, panels, strict=False):
        places = np.arange(len(values))
        axes.fill_between(places, values, 0, where=values > 0, step="mid", color=_COLOURS[2], linewidth=0)
        axes.fill_between(places, values, 0, where=values < 0, step="mid", color=_COLOURS[3], linewidth=0)
        axes.axhline(0, color=_INK, linewidth=0.6)
        axes.set_xlim(0, len(values))
        axes.set_title(title if len(title) < 44 else f"{title[:43]}…", fontsize=8)
        axes.set_xlabel("queries, best first", fontsize=8)
    for axes in drawn[len(panels) :]:
        axes.set_visible(False)
    return [(f"Difference in {measure}, query by query", _svg(figure, "queries"))]


_FIGURES: dict[str, Callable[[Comparison], list[tuple[str, str]]]] = {
    "quality": _quality,
    "cost": _cost,
    "queries": _queries,
}

_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "axes.axisbelow": True,
}


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    return figure


def _svg(figure: Any, name: str) -> str:
    """The figure as an SVG element that can stand in a page: no header, no metadata, ids of its own."""
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = out.getvalue()[out.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'id="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace(_INK, "currentColor").strip()


def _legend(figure: Any, comparison: Comparison, systems: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for system in systems:
        colour, shape = _look(comparison, system)
        handles.append(Line2D([], [], color=colour, marker=shape, linestyle="", label=system))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(3, len(handles)), frameon=False, fontsize=8)


def _look(comparison: Comparison, system: str) -> tuple[str, str]:
    """Colour and shape of a system, the same in every figure."""
    number = comparison.systems.index(system)
    return _COLOURS[number % len(_COLOURS)], _SHAPES[number % len(_SHAPES)]


def _few_ticks(axes: Any, values: Sequence[float]) -> None:
    """On a short logarithmic axis matplotlib labels every minor tick; here the values themselves are enough."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    if min(values) <= 0:
        return
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_xlim()
    ticks = np.geomspace(low, high, 5)[1:4]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _short(value: float) -> str:
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}" if value >= 10 else f"{value:.2g}"


def _library() -> Any:
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise MissingExtraError("drawing figures", "eval") from None
    return matplotlib
