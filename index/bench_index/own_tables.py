"""Tables of this project's own index alone: filters by what they leave over, and what grows with the collection."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


def filters(outcomes: list[Record]) -> list[str]:
    """Times by the share of documents that a filter leaves over, k = 10."""
    rows = []
    for o in outcomes:
        for cell in o.get("filters", []):
            whole = next(c for c in o["cells"] if c["kind"] == cell["kind"] and c["k"] == 10)
            rows.append(
                f"| {o['peer']} | {cell['kind']} | {100 * cell['share']:g} % {cell['chosen']} | {cell['mean']:.3g} "
                f"| {whole['mean']:.3g} | {cell['work'].get('postings_scored', 0):,.0f} |"
            )
    if not rows:
        return []
    head = "| engine | queries | documents left over | mean ms | ms without a filter | postings scored |"
    return ["**Filters**, k = 10", "", head, "|---" * 6 + "|", *rows, ""]


def growth(outcomes: list[Record]) -> list[str]:
    """Counted work of each strategy over sizes of the same set: what grows with N on any machine."""
    sizes: dict[tuple[str, str, str, int], dict[int, Record]] = {}
    for o in outcomes:
        for cell in o["cells"]:
            if o["peer"] == "lsr" and cell["work"] and cell["setting"] in ("auto", "scan", "prune"):
                key = (o["collection"], cell["kind"], cell["setting"], cell["k"])
                sizes.setdefault(key, {})[o["documents"]] = cell
    rows = []
    for (name, kind, strategy, k), cells in sizes.items():
        if len(cells) < 2 or k != 10:
            continue
        for documents, cell in sorted(cells.items()):
            work = cell["work"]
            rows.append(
                f"| {name} | {kind} | {strategy} | {documents:,} | {cell['mean']:.3g} "
                f"| {work['postings_scored']:,.0f} | {work['blocks_bounded']:,.0f} | {work['blocks_scored']:,.0f} "
                f"| {work['postings_scored'] / documents:.3f} |"
            )
    if not rows:
        return []
    head = "| set | queries | strategy | documents | mean ms | postings scored | blocks bounded | blocks scored "
    return ["## Growth with the collection, k = 10", "", head + "| postings a document |", "|---" * 9 + "|", *rows, ""]
