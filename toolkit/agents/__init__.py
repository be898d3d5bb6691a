"""Agents, one file each, and the parts that they share."""

from toolkit.agents.distributions import TanhNormal as TanhNormal
from toolkit.agents.interface import (
    AbstractOnlineAgent as AbstractOnlineAgent,
    AbstractPolicy as AbstractPolicy,
)
from toolkit.agents.networks import (
    GaussianActor as GaussianActor,
    TwinCritic as TwinCritic,
    polyak as polyak,
)
from toolkit.agents.replay import Replay as Replay
from toolkit.agents.sac import SAC as SAC, ActorPolicy as ActorPolicy, SACState as SACState
