"""The outcome of one driven route, before a rule version turns it into scores."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.datatypes.infraction import Infraction


class Failure(StrEnum):
    """Why a route did not end by itself; the text that follows ``Failed - `` in the result file."""

    NONE = ""
    AGENT_SETUP = "Agent couldn't be set up"
    AGENT_CRASHED = "Agent crashed"
    AGENT_SENSORS = "Agent's sensors were invalid"
    SIMULATION_CRASHED = "Simulation crashed"
    TICK_RUNTIME = "TickRuntime"  # of the Bench2Drive fork: more than 4000 ticks


@dataclass(frozen=True, kw_only=True)
class RouteOutcome:
    """What happened on one route.

    Attributes:
        route_id: ``RouteScenario_<xml id>_rep<k>``.
        route_length_m: 3-D length of the dense plan.
        completion_percent: 0 to 100, by the Leaderboard rule, rounded to two decimals.
        infractions: in the order in which the criteria list them.
        failure: what broke from outside the driving, if anything did.
        duration_sim_s: simulated seconds driven.
        duration_wall_s: wall-clock seconds driven.
    """

    route_id: str
    route_length_m: float
    completion_percent: float
    infractions: tuple[Infraction, ...] = ()
    failure: Failure = Failure.NONE
    duration_sim_s: float = 0.0
    duration_wall_s: float = 0.0
