"""What the map says about the place where the ego is."""

from __future__ import annotations

from typing import Any

#: The longest lane of the CARLA towns is shorter.
LONGEST_LANE_M = 5000


class Surroundings:
    """Lookups in a carla.Map; remembers which roads follow which lane."""

    def __init__(self, carla_map: Any) -> None:
        import carla

        self._map = carla_map
        self._any_lane, self._driving = carla.LaneType.Any, carla.LaneType.Driving
        self._following: dict[tuple[int, int, int], list[Any]] = {}

    def lane_at(self, location: Any) -> Any:
        """Return the carla.Waypoint of the nearest lane of any type."""
        return self._map.get_waypoint(location, True, self._any_lane)

    def driving_lane_at(self, location: Any) -> Any:
        """Return the carla.Waypoint of the nearest lane to drive on."""
        return self._map.get_waypoint(location, True, self._driving)

    def fields(self, location: Any) -> dict[str, Any]:
        """Return the map keys of a meta that follow from the ego's place.

        Args:
            location: carla.Location.
        """
        lane, driving = self.lane_at(location), self.driving_lane_at(location)
        next_lanes = self._next_lanes(lane)
        after_next = [following.road_id for next_lane in next_lanes for following in self._next_lanes(next_lane)]
        left, right = lane.left_lane_marking, lane.right_lane_marking
        return {
            "road_id": lane.road_id,
            "lane_id": lane.lane_id,
            "ego_lane_id": driving.lane_id,
            "is_junction": lane.is_junction,
            "is_intersection": lane.is_intersection,
            "junction_id": lane.junction_id,
            "next_road_ids": [next_lane.road_id for next_lane in next_lanes],
            "next_next_road_ids_ego": list(dict.fromkeys(after_next)),
            "lane_change_str": str(lane.lane_change),
            "lane_type_str": str(lane.lane_type),
            "left_lane_marking_color_str": str(left.color),
            "left_lane_marking_type_str": str(left.type),
            "right_lane_marking_color_str": str(right.color),
            "right_lane_marking_type_str": str(right.type),
            "ego_lane_width": driving.lane_width,
            "target_lane_width": None,
        }

    def _next_lanes(self, lane: Any) -> list[Any]:
        """Return waypoints on the lanes into which a lane leads; none where it ends.

        The client's `next_until_lane_end` crashes the process on some lanes, so this goes metre by metre.
        """
        key = (lane.road_id, lane.section_id, lane.lane_id)
        if key not in self._following:
            self._following[key] = _walk_off(lane)
        return self._following[key]


def _walk_off(lane: Any) -> list[Any]:
    here = lane
    for _ in range(LONGEST_LANE_M):
        following = here.next(1.0)
        if any((other.road_id, other.lane_id) != (lane.road_id, lane.lane_id) for other in following):
            return list(following)
        if not following:
            return []
        here = following[0]
    return []
