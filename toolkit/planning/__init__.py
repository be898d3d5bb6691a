"""Planning with a model: what is planned in, and the sampling planner of TD-MPC."""

from toolkit.planning.interface import AbstractProblem as AbstractProblem
from toolkit.planning.model_problem import ModelProblem as ModelProblem
from toolkit.planning.mppi import MPPI as MPPI, Iteration as Iteration, Plan as Plan
from toolkit.planning.policy import PlanningPolicy as PlanningPolicy
