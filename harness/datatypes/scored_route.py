"""One route's record of a result file, whoever wrote it, after its types have been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredRoute:
    """A record as the file states it; nothing is computed or rounded.

    Attributes:
        route_id: as in the file, ``RouteScenario_<xml id>_rep<k>``.
        xml_id: of the route, as in its XML file.
        repetition: k.
        status: ``Perfect``, ``Completed``, ``Failed`` or ``Failed - <reason>``.
        completion_percent: ``score_route``.
        penalty: ``score_penalty``, a factor.
        driving_score: ``score_composed``, 0 to 100.
        messages: sentences by result-file key; keys that the file does not have are absent.
        length_m, duration_sim_s, duration_wall_s: section ``meta``.
        town, scenario, weather, save_name: what only some evaluators write; "" where absent.
    """

    route_id: str
    xml_id: str
    repetition: int
    status: str
    completion_percent: float
    penalty: float
    driving_score: float
    messages: Mapping[str, tuple[str, ...]]
    length_m: float
    duration_sim_s: float
    duration_wall_s: float
    town: str = ""
    scenario: str = ""
    weather: str = ""
    save_name: str = ""
