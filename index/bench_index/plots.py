"""The plot of a run: recall against latency, a panel for each collection and kind of queries."""

from __future__ import annotations

from pathlib import Path

from .report import KIND_NAMES, OURS, Record


def plot(run: Record, target: Path) -> list[str]:
    """Recall against latency at k = 10, one panel a collection and kind of queries; names of the files written."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "lsr"
    from matplotlib import pyplot

    names = list(dict.fromkeys((o["collection"], o["documents"]) for o in run["outcomes"] if o["cells"]))
    kinds = run["plan"]["kinds"]
    if not names:
        return []
    peers = list(dict.fromkeys(o["peer"] for o in run["outcomes"] if o["cells"]))
    colours = {peer: pyplot.get_cmap("tab20")(number % 20) for number, peer in enumerate(peers)}
    figure, axes = pyplot.subplots(
        len(names), len(kinds), figsize=(6 * len(kinds), 3.6 * len(names)), squeeze=False, layout="constrained"
    )
    for row, (name, documents) in zip(axes, names, strict=True):
        for axis, kind in zip(row, kinds, strict=True):
            for o in run["outcomes"]:
                if (o["collection"], o["documents"]) != (name, documents) or not o["cells"]:
                    continue
                cells = [c for c in o["cells"] if c["kind"] == kind and c["k"] == 10]
                axis.plot(
                    [c["mean"] for c in cells], [c["recall"] for c in cells], ls="", ms=5,
                    marker="o" if o["peer"].startswith(OURS) else "s", color=colours[o["peer"]], label=o["peer"],
                )  # fmt: skip
            axis.set_xscale("log")
            axis.set_title(f"{name} {documents:,}, {KIND_NAMES[kind]}, k = 10", fontsize=9)
            axis.set_xlabel("CPU ms a query, mean")
            axis.set_ylabel("recall")
            axis.grid(alpha=0.3)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), fontsize=8)
    figure.savefig(target, metadata={"Date": None})
    return [target.name]
