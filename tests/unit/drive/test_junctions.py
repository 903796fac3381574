"""Junction kinds from signals."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import carla
import pytest

from harness.drive.junctions import JunctionKind, junction_kinds
from harness.drive.lanes import Lane, LaneKey


def drawn_lanes() -> dict[LaneKey, Lane]:
    """Junction 7: roads 1 (lane -1) and 2 (lane 1) lead in, by the connecting roads 11 and 12."""

    def lane(key: LaneKey, successors: list[LaneKey], junction_id: int) -> Lane:
        waypoint = SimpleNamespace(junction_id=junction_id)
        return Lane(key, waypoint, waypoint, junction_id >= 0, successors)

    lanes = [
        lane((1, 0, -1), [(11, 0, -1)], -1),
        lane((2, 0, 1), [(12, 0, -1)], -1),
        lane((11, 0, -1), [(3, 0, -1)], 7),
        lane((12, 0, -1), [(3, 0, -1)], 7),
        lane((3, 0, -1), [], -1),
    ]
    return {one.key: one for one in lanes}


def drawn_map(*signals: tuple[str, int, list[tuple[int, int]]]) -> Any:
    def landmarks(kind: str) -> list[Any]:
        return [
            SimpleNamespace(road_id=road_id, get_lane_validities=lambda validities=validities: validities)
            for signal_kind, road_id, validities in signals
            if signal_kind == kind
        ]

    return SimpleNamespace(get_all_landmarks_of_type=landmarks)


@pytest.mark.parametrize(
    ("signals", "kind"),
    [
        ([], JunctionKind.NONE),
        ([("1000001", 11, [(-1, -1)])], JunctionKind.SIGNALISED),
        ([("1000001", 11, [(-1, -1)]), ("206", 12, [(-1, -1)])], JunctionKind.SIGNALISED),
        ([("206", 11, [(-1, -1)])], JunctionKind.PRIORITY),
        ([("205", 11, [(-1, -1)])], JunctionKind.PRIORITY),
        ([("205", 11, [(-1, -1)]), ("205", 12, [(-1, -1)])], JunctionKind.PRIORITY),
        ([("206", 11, [(-1, -1)]), ("206", 12, [])], JunctionKind.ALL_WAY_STOP),
        ([("206", 1, [(-2, -1)]), ("206", 2, [(1, 1)])], JunctionKind.ALL_WAY_STOP),
        ([("206", 1, [(1, 1)])], JunctionKind.NONE),
        ([("206", 3, [(-1, -1)])], JunctionKind.NONE),
    ],
)
def test_kind_depends_on_who_has_to_stop(
    signals: list[tuple[str, int, list[tuple[int, int]]]], kind: JunctionKind
) -> None:
    assert junction_kinds(drawn_map(*signals), drawn_lanes()) == {7: kind}


def test_own_town_has_every_kind_of_control(repository: Path) -> None:
    text = (repository / "routes" / "towns" / "Borough01.xodr").read_text(encoding="utf-8")
    kinds = junction_kinds(carla.Map("Borough01", text))
    assert {JunctionKind.SIGNALISED, JunctionKind.ALL_WAY_STOP, JunctionKind.PRIORITY} <= set(kinds.values())


def test_official_town(harness_data: Path) -> None:
    text = gzip.decompress((harness_data / "maps" / "Town05.xodr.gz").read_bytes()).decode()
    kinds = Counter(junction_kinds(carla.Map("Town05", text)).values())
    assert kinds == {"signalised": 15, "all_way_stop": 1, "priority": 2, "none": 3}
