"""Systems: an index of ours, a run from a file, other engines; one kind a file, behind one protocol."""

from lsr.eval.systems.base import Progress, Searcher, Size, System
from lsr.eval.systems.engine import IndexSystem
from lsr.eval.systems.served import RunSystem
from lsr.eval.systems.spec import SystemSpec, open_system, parse_system, system_named

__all__ = [
    "IndexSystem",
    "Progress",
    "RunSystem",
    "Searcher",
    "Size",
    "System",
    "SystemSpec",
    "open_system",
    "parse_system",
    "system_named",
]
