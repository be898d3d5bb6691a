"""Figures: data in, plotly figure out. Nothing here shows, saves or trains anything."""

from toolkit.figures.ablation import ablation_figure
from toolkit.figures.augmentation import (
    by_noise_figure,
    filter_figure,
    gate_figure,
    kept_error_figure,
    reach_figure,
)
from toolkit.figures.control import learning_curves_figure
from toolkit.figures.course import course_figure
from toolkit.figures.coverage import coverage_figure, subsample_figure
from toolkit.figures.dataset import dataset_figure
from toolkit.figures.eigenplane import eigenplane_figure
from toolkit.figures.endings import endings_figure, evidence_figure
from toolkit.figures.frames import Film, frames_figure
from toolkit.figures.gradients import gradient_figure, nonnormal_figure
from toolkit.figures.lineup import Lineup, lineup_figure
from toolkit.figures.offline import familiar_figure, score_curves_figure, trust_figure
from toolkit.figures.pixels import (
    curves_figure,
    encoder_figure,
    pictures_figure,
    probes_figure,
)
from toolkit.figures.planning import by_horizon_figure, control_figure, plan_figure
from toolkit.figures.profiles import profile_figure
from toolkit.figures.qualities import log_prob_figure, qualities_figure, stages_figure
from toolkit.figures.response import aliasing_figure, impulse_figure, zero_order_hold_figure
from toolkit.figures.reversal import (
    energy_figure,
    pendulum_film_figure,
    return_figure,
    reversal_figure,
)
from toolkit.figures.rollout import error_by_horizon_figure, rollout_figure
from toolkit.figures.scores import aggregates_figure, size_figure
from toolkit.figures.spectrum import generator_figure, initialisation_figure, spectrum_figure
from toolkit.figures.speed import speed_figure
from toolkit.figures.symmetry import (
    by_displacement_figure,
    commutators_figure,
    shifted_robots_figure,
    two_ways_figure,
)
from toolkit.figures.theme import TEMPLATE, themed
from toolkit.figures.training import training_figure
from toolkit.figures.violation import (
    by_distance_figure,
    groups_figure,
    monitor_figure,
    violation_map_figure,
)

__all__ = [
    "TEMPLATE",
    "Film",
    "Lineup",
    "ablation_figure",
    "aggregates_figure",
    "aliasing_figure",
    "by_displacement_figure",
    "by_distance_figure",
    "by_horizon_figure",
    "by_noise_figure",
    "commutators_figure",
    "control_figure",
    "course_figure",
    "coverage_figure",
    "curves_figure",
    "dataset_figure",
    "eigenplane_figure",
    "encoder_figure",
    "endings_figure",
    "energy_figure",
    "error_by_horizon_figure",
    "evidence_figure",
    "familiar_figure",
    "filter_figure",
    "frames_figure",
    "gate_figure",
    "generator_figure",
    "gradient_figure",
    "groups_figure",
    "impulse_figure",
    "initialisation_figure",
    "kept_error_figure",
    "learning_curves_figure",
    "lineup_figure",
    "log_prob_figure",
    "monitor_figure",
    "nonnormal_figure",
    "pendulum_film_figure",
    "pictures_figure",
    "plan_figure",
    "probes_figure",
    "profile_figure",
    "qualities_figure",
    "reach_figure",
    "return_figure",
    "reversal_figure",
    "rollout_figure",
    "score_curves_figure",
    "shifted_robots_figure",
    "size_figure",
    "spectrum_figure",
    "speed_figure",
    "stages_figure",
    "subsample_figure",
    "themed",
    "training_figure",
    "trust_figure",
    "two_ways_figure",
    "violation_map_figure",
    "zero_order_hold_figure",
]
