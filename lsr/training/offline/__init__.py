"""Files of training pairs, worked on before any recipe: hard negatives are mined, teachers' scores are added."""

from lsr.training.offline.distill import DistillReport, distill_scores
from lsr.training.offline.judges import Judge, parse_judge
from lsr.training.offline.mine import MineReport, MineSettings, mine_negatives

__all__ = [
    "DistillReport",
    "Judge",
    "MineReport",
    "MineSettings",
    "distill_scores",
    "mine_negatives",
    "parse_judge",
]
