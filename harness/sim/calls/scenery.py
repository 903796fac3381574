"""Calls about the town itself: its objects, rays through it, its lamps and layers, and drawing into it."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.errors import SimError
from harness.sim.simulation import Simulation
from harness.sim.wire.messages import BoundingBox, EnvironmentObject, LabelledPoint, Rotation, Transform, Vector3D
from harness.sim.world import rays
from harness.sim.world.blueprints import SemanticTag
from harness.sim.world.poses import MAX_COORDINATE_M

_ANY_TAG = 255
_NOWHERE = Vector3D(0.0, 0.0, 0.0)

# --- objects of the town ---------------------------------------------------------------------------------------------


def get_environment_objects(simulation: Simulation, tag: int) -> list[EnvironmentObject]:
    """Return surfaces of roads and sidewalks, poles, lights and signs; other things have no place in a town file."""
    scenery = simulation.world.town.scenery
    return [
        EnvironmentObject(
            Transform(box.location, box.rotation),
            box,
            int(scenery.ids[index]),
            scenery.names[index],
            int(scenery.tag[index]),
        )
        for index, box in _tagged_boxes(simulation, tag)
    ]


def enable_environment_objects(simulation: Simulation, object_ids: list[int], is_enabled: bool) -> None:
    """Switch objects on or off; rays do not see those that are off, wheels and bumpers still do."""
    world = simulation.world
    unknown = set(object_ids).difference(world.town.scenery.ids.tolist())
    if unknown:
        raise SimError(f"enable_environment_objects: no object has the id {min(unknown)}")
    hidden = world.hidden_scenery
    world.hidden_scenery = hidden.difference(object_ids) if is_enabled else hidden.union(object_ids)


def get_all_level_BBs(simulation: Simulation, tag: int) -> list[BoundingBox]:  # noqa: N802 - the wire's name
    return [box for _, box in _tagged_boxes(simulation, tag)]


def get_names_of_all_objects(simulation: Simulation) -> list[str]:
    return list(simulation.world.town.scenery.names)


def get_light_boxes(simulation: Simulation, actor_id: int) -> list[BoundingBox]:
    """Return the box of a traffic light's head, in the world frame."""
    world = simulation.world
    light = world.light_of(actor_id)
    if light is None:
        raise SimError(f"get_light_boxes: Actor is not a traffic light. Actor Id: {actor_id}")
    head = world.town.scenery.lights[world.town.lights[light].signal_id]
    return [_box(simulation, head)._replace(actor_id=actor_id)]


def _tagged_boxes(simulation: Simulation, tag: int) -> list[tuple[int, BoundingBox]]:
    tags = simulation.world.town.scenery.tag
    found = np.arange(len(tags)) if tag == _ANY_TAG else np.flatnonzero(tags == tag)
    return [(index, _box(simulation, index)) for index in found.tolist()]


def _box(simulation: Simulation, index: int) -> BoundingBox:
    scenery = simulation.world.town.scenery
    return BoundingBox(
        Vector3D(*scenery.centre_m[index].tolist()),
        Vector3D(*scenery.half_m[index].tolist()),
        Rotation(*scenery.rotation_deg[index].tolist()),
        0,
    )


# --- rays ------------------------------------------------------------------------------------------------------------


def cast_ray(simulation: Simulation, start: Vector3D, end: Vector3D) -> list[LabelledPoint]:
    return [_labelled(hit) for hit in _hits(simulation, start, end)]


def project_point(
    simulation: Simulation, start: Vector3D, direction: Vector3D, distance_m: float
) -> tuple[bool, LabelledPoint]:
    """Return the first thing in a direction; a direction of no length has none."""
    length = float(np.linalg.norm(direction))
    reach_m = min(max(distance_m, 0.0), MAX_COORDINATE_M)
    if length < 1e-9:
        return False, LabelledPoint(_NOWHERE, SemanticTag.NONE)
    end = Vector3D(*(at + along / length * reach_m for at, along in zip(start, direction, strict=True)))
    hits = _hits(simulation, start, end)
    return (True, _labelled(hits[0])) if hits else (False, LabelledPoint(_NOWHERE, SemanticTag.NONE))


def _hits(simulation: Simulation, start: Vector3D, end: Vector3D) -> list[rays.Hit]:
    world = simulation.world
    first, last = (np.clip(place, -2.0 * MAX_COORDINATE_M, 2.0 * MAX_COORDINATE_M) for place in (start, end))
    return rays.cast_ray(world.table, world.town.scenery, world.hidden_scenery, first, last)


def _labelled(hit: rays.Hit) -> LabelledPoint:
    return LabelledPoint(Vector3D(*hit.place_m), int(hit.tag))


# --- lamps, layers, drawing ------------------------------------------------------------------------------------------


def query_lights_state(simulation: Simulation, client: str) -> list[Any]:
    """Return the street lamps: these towns have none."""
    return []


def update_lights_state(simulation: Simulation, client: str, lights: list[Any], discards_client: bool) -> None:
    """Accept new states of street lamps: these towns have none that would take them."""


def update_day_night_cycle(simulation: Simulation, client: str, is_active: bool) -> None:
    """Accept the switch: there are no street lamps that would follow the sun."""


def load_map_layer(simulation: Simulation, layers: int) -> None:
    """Remember layers as loaded: nothing in these towns belongs to one."""
    simulation.map_layers |= layers


def unload_map_layer(simulation: Simulation, layers: int) -> None:
    """Remember layers as unloaded: nothing in these towns belongs to one."""
    simulation.map_layers &= ~layers


def draw_debug_shape(simulation: Simulation, shape: Any) -> None:
    """Accept a shape and forget it: nothing is drawn here, so there is nothing to keep or to clear."""


def clear_debug_shape(simulation: Simulation) -> None:
    """Accept the call: no shapes are kept."""


def clear_debug_string(simulation: Simulation) -> None:
    """Accept the call: no texts are kept."""
