"""The unit of work: one route, driven once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One drive; everything that names or seeds it follows from these fields.

    Attributes:
        suite: name of the suite.
        route: file stem of the route.
        route_id: its id in the XML.
        route_file: absolute path of the XML.
        repetition: 0 for the first drive of a route with one seed.
        seed: what the user asked for; the traffic's own seed derives from it.
        agent: as the user named it; `agent_sha256` is over the agent's file, empty for built-in agents.
        config: text passed to the agent.
        length_m: of the line through the route's points; what its time is predicted from.
        scenario: folder of a dataset that the drive belongs to; empty in an evaluation.
    """

    suite: str
    rule_version: str
    route: str
    route_id: str
    route_file: str
    town: str
    repetition: int
    seed: int
    traffic_seed: int
    agent: str
    agent_sha256: str
    config: str
    scenario: str = ""
    length_m: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, JSON ready."""
        return asdict(self)
