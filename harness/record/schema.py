"""What stands in a frame: every key of metas and bboxes with its type, as LEAD's loader expects them.

World and ego frame are CARLA's: left-handed, metres, radians, x forward, y right; ego frame = inv(ego_matrix). Arrays
that look into the past begin with now and go back, those that look ahead begin with now; both in steps of 0.05 s.

Left out are the keys that need a camera, LiDAR or radar, see `LEFT_OUT`. Readers have to accept a missing key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.record.kinds import Array, Dictionary, Kind, ListOf, Scalar

#: A frame is saved every so many ticks of 0.05 s: 4 Hz.
TICKS_PER_FRAME: Final = 5
TICK_S: Final = 0.05
#: How far frames look, in ticks: the ego 3 s into the past and ahead, other actors 2 s ahead.
EGO_TICKS: Final = 60
OTHERS_TICKS: Final = 40
#: Route points saved, and where the first lies ahead of the ego.
ROUTE_POINTS: Final = 50
ROUTE_FIRST_M: Final = 2.5
#: Actors further from the ego than this have no box; lights and signs neither.
BOX_RADIUS_M: Final = 96.0
SIGN_RADIUS_M: Final = 64.0
#: What counts as around the ego: x, then y in the ego frame.
AROUND_M: Final = ((-34.0, 66.0), (-42.0, 42.0))
#: Distances at which a target point counts as reached; each has keys of its own, such as ``next_commands_3.25``.
POP_DISTANCES_M: Final = tuple(3.0 + 0.25 * step for step in range(29))
#: And the one of the keys without a distance.
POP_DISTANCE_M: Final = 7.5

#: What LEAD saves and this recorder does not, each with the reason.
LEFT_OUT: Final[Mapping[str, str]] = {
    "metas: jpeg_storage_quality": "camera",
    "metas: sensor_information, all but num_cameras": "camera, LiDAR, radar",
    "metas: dataset_information, all but data_save_freq": "camera, LiDAR",
    "metas: traffic_light_height": "camera",
    "bboxes: num_points": "LiDAR",
    "bboxes: num_radar_points": "radar",
    "bboxes: visible_pixels": "camera",
}

_FLAG, _COUNT, _TEXT = Scalar("bool"), Scalar("int"), Scalar("str")
_NUMBER, _DISTANCE = Scalar("float"), Scalar("float", may_be_inf=True)
_MAYBE_ID, _MAYBE_TEXT = Scalar("int", may_be_none=True), Scalar("str", may_be_none=True)
_MAYBE_NUMBER = Scalar("float", may_be_none=True)
_IDS, _POINT, _FLOATS = ListOf(_COUNT), ListOf(_NUMBER, 3), "float32"
_POINTS = ListOf(_POINT)


def _targets() -> dict[str, Kind]:
    suffixes = ["", *(f"_{distance}" for distance in POP_DISTANCES_M)]
    names = [(when, infix, suffix) for when in ("previous", "next") for infix in ("", "_gps") for suffix in suffixes]
    fields: dict[str, Kind] = {}
    for when, infix, suffix in names:
        if infix and not suffix:
            continue
        fields[f"{when}{infix}_target_points{suffix}"] = _POINTS
        fields[f"{when}{infix}_commands{suffix}"] = _IDS
    return fields


#: Key -> kind of every value in a meta.
META_FIELDS: Final[Mapping[str, Kind]] = {
    # ego
    "pos_global": _POINT,
    "theta": _NUMBER,
    "privileged_yaw": _NUMBER,
    "ego_matrix": Array(_FLOATS, (4, 4)),
    **dict.fromkeys(("speed", "accel_x", "accel_y", "accel_z"), _NUMBER),
    **dict.fromkeys(("angular_velocity_x", "angular_velocity_y", "angular_velocity_z"), _NUMBER),
    "filtered_pos_global": ListOf(_NUMBER, 2),
    "noisy_pos_global": ListOf(_NUMBER, 2),
    "past_positions": Array(_FLOATS, (None, 2), EGO_TICKS + 1),
    "past_filtered_state": Array(_FLOATS, (None, 2), EGO_TICKS + 1),
    "privileged_past_positions": Array(_FLOATS, (None, 2), EGO_TICKS + 1),
    "past_speeds": Array(_FLOATS, (None,), EGO_TICKS + 1),
    "past_yaws": Array(_FLOATS, (None,), EGO_TICKS + 1),
    "future_positions": Array(_FLOATS, (None, 3), EGO_TICKS + 1),
    "future_yaws": Array(_FLOATS, (None,), EGO_TICKS + 1),
    "future_speeds": Array(_FLOATS, (None,), EGO_TICKS + 1),
    "privileged_acceleration": _NUMBER,
    "privileged_rotation_speed": _NUMBER,
    # plan
    **dict.fromkeys(("target_speed", "target_speed_limit", "speed_limit"), _NUMBER),
    "last_encountered_speed_limit_sign": _NUMBER,
    **dict.fromkeys(("steer", "throttle"), _NUMBER),
    "brake": _FLAG,
    "route": Array(_FLOATS, (None, 2), ROUTE_POINTS),
    "changed_route": _FLAG,
    **dict.fromkeys(("route_curvature", "route_left_length", "distance_ego_to_route"), _NUMBER),
    "signed_dist_to_lane_change": _DISTANCE,
    # targets
    **_targets(),
    # map
    "town": _TEXT,
    **dict.fromkeys(("road_id", "lane_id", "ego_lane_id", "junction_id"), _COUNT),
    **dict.fromkeys(("is_junction", "is_intersection"), _FLAG),
    **dict.fromkeys(("next_road_ids", "next_next_road_ids_ego"), _IDS),
    **dict.fromkeys(("lane_change_str", "lane_type_str", "traffic_light_state"), _TEXT),
    **{f"{side}_lane_marking_{what}_str": _TEXT for side in ("left", "right") for what in ("color", "type")},
    "ego_lane_width": _NUMBER,
    "target_lane_width": _MAYBE_NUMBER,
    "dist_to_junction": _MAYBE_NUMBER,
    **dict.fromkeys(("distance_to_next_junction", "distance_to_intersection_index_ego"), _DISTANCE),
    # causes
    **{f"{cause}_hazard": _FLAG for cause in ("vehicle", "light", "walker", "stop_sign")},
    **dict.fromkeys(("stop_sign_close", "walker_close"), _FLAG),
    **dict.fromkeys(("walker_close_id", "vehicle_affecting_id", "walker_affecting_id"), _MAYBE_ID),
    "speed_reduced_by_obj_type": _MAYBE_TEXT,
    "speed_reduced_by_obj_id": _MAYBE_ID,
    "speed_reduced_by_obj_distance": _MAYBE_NUMBER,
    **dict.fromkeys(("does_emergency_brake_for_pedestrians", "emergency_brake_for_special_vehicle"), _FLAG),
    **dict.fromkeys(("brake_cutin", "rear_danger_8", "rear_danger_16"), _FLAG),
    **{f"num_{kind}_adversarial": _COUNT for kind in ("dangerous", "safe", "ignored")},
    "rear_adversarial_id": _COUNT,
    **{
        f"{what}_two_ways_stuck": _FLAG
        for what in ("construction_obstacle", "accident", "parked_obstacle", "vehicle_opens_door")
    },
    **{f"slower_{why}": _FLAG for why in ("bad_visibility", "clutterness", "occluded_junction")},
    **dict.fromkeys(("europe_traffic_light", "over_head_traffic_light"), _FLAG),
    # scenario
    "scenario": _TEXT,
    **dict.fromkeys(("current_active_scenario_type", "previous_active_scenario_type"), _MAYBE_TEXT),
    **dict.fromkeys(("scenario_obstacles_ids", "scenario_actors_ids", "cut_in_actors_ids"), _IDS),
    "scenario_obstacles_convex_hull": ListOf(ListOf(_NUMBER, 2)),
    "vehicle_opened_door": _FLAG,
    "vehicle_door_side": _MAYBE_TEXT,
    **{
        f"dist_to_{what}": _DISTANCE
        for what in ("construction_site", "accident_site", "parked_obstacle", "vehicle_opens_door", "cutin_vehicle")
    },
    **{f"dist_to_{who}": _DISTANCE for who in ("pedestrian", "biker")},
    # weather and rig
    "weather_setting": _TEXT,
    "weather_parameters": Dictionary(_NUMBER),
    **dict.fromkeys(("visual_visibility", "num_parking_vehicles_in_proximity"), _COUNT),
    **dict.fromkeys(("second_highest_speed", "second_highest_speed_limit"), _NUMBER),
    **dict.fromkeys(("perturbation_translation", "perturbation_rotation"), _NUMBER),
    "dataset_information": Dictionary(None),
    "sensor_information": Dictionary(None),
}

_MATRIX = ListOf(ListOf(_NUMBER, 4), 4)
_BOX: Final[Mapping[str, Kind]] = {
    "class": _TEXT,
    "extent": _POINT,
    "position": _POINT,
    **dict.fromkeys(("yaw", "distance"), _NUMBER),
    **dict.fromkeys(("id", "transfuser_semantics_id"), _COUNT),
    "matrix": _MATRIX,
}
_FUTURE: Final[Mapping[str, Kind]] = {
    "future_positions": Array("float16", (None, 2), OTHERS_TICKS + 1),
    "future_yaws": Array("float16", (None,), OTHERS_TICKS + 1),
}
_LIGHT_FLAGS = (
    *("affects_ego", "dummy_traffic_light_bounding_box", "same_lane_as_ego"),
    *("is_over_head_traffic_light", "is_europe_traffic_light"),
)

#: Class -> key -> kind of every value in a box.
BOX_FIELDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "ego_car": {**_BOX, "speed": _NUMBER, "brake": _NUMBER},
    "car": {
        **_BOX,
        **dict.fromkeys(("speed", "brake", "steer", "throttle", "speed_limit"), _NUMBER),
        "ego_velocity": ListOf(_NUMBER, 2),
        "next_action": _MAYBE_TEXT,
        "vehicle_cuts_in": _FLAG,
        **dict.fromkeys(("road_id", "lane_id"), _COUNT),
        **dict.fromkeys(("lane_type_str", "base_type", "role_name", "type_id"), _TEXT),
        **_FUTURE,
    },
    "walker": {**_BOX, "speed": _NUMBER, "ego_velocity": ListOf(_NUMBER, 2), "role_name": _TEXT, **_FUTURE},
    "static": {**_BOX, "speed": _NUMBER, "type_id": _TEXT, "mesh_path": _MAYBE_TEXT},
    "static_prop_car": _BOX,
    "traffic_light": {
        **_BOX,
        "state": _TEXT,
        "distance_to_physical_traffic_light": _NUMBER,
        **dict.fromkeys(_LIGHT_FLAGS, _FLAG),
    },
    "stop_sign": {**_BOX, "affects_ego": _FLAG},
}
