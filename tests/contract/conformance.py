"""Which calls of the carla client the contract tests make; `make conformance` writes docs/conformance.md from a run.

While `HARNESS_RECORD_CALLS` names a folder, every method and property of the client's classes notes the test that
used it, in the programs that tests start as well.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

FOLDER = "HARNESS_RECORD_CALLS"
# Classes whose calls reach the server, or show what it has sent.
CLASSES = (
    "Client",
    "World",
    "WorldSnapshot",
    "Actor",
    "ActorList",
    "ActorSnapshot",
    "BlueprintLibrary",
    "ActorBlueprint",
    "ActorAttribute",
    "Vehicle",
    "Walker",
    "WalkerAIController",
    "TrafficSign",
    "TrafficLight",
    "Sensor",
    "ServerSideSensor",
    "CollisionEvent",
    "LaneInvasionEvent",
    "ObstacleDetectionEvent",
    "GnssMeasurement",
    "IMUMeasurement",
    "TrafficManager",
    "LightManager",
    "Light",
    "DebugHelper",
    "Map",
)
COMMANDS = "command"
_RECORDER = "the recorder is not built"
_PICTURES = "needs pictures, which this simulator does not have yet"
_ROS = "there is no ROS bridge"
_LAMPS = "no town has street lamps, so there is no light to call it on"
_PAINT = "there is nothing to paint"
# Calls that answer with an error that says why, or that the log names where the client does not wait for an answer.
REFUSED = {
    "Client.replay_file": _RECORDER,
    "Client.set_replayer_ignore_hero": _RECORDER,
    "Client.set_replayer_ignore_spectator": _RECORDER,
    "Client.set_replayer_time_factor": _RECORDER,
    "Client.show_recorder_actors_blocked": _RECORDER,
    "Client.show_recorder_collisions": _RECORDER,
    "Client.show_recorder_file_info": _RECORDER,
    "Client.start_recorder": _RECORDER,
    "Client.stop_recorder": _RECORDER,
    "Client.stop_replayer": _RECORDER,
    "ServerSideSensor.disable_for_ros": _ROS,
    "ServerSideSensor.enable_for_ros": _ROS,
    "Vehicle.enable_carsim": "CarSim is not built",
    "Vehicle.enable_chrono_physics": "Chrono is not built",
    "Vehicle.restore_physx_physics": "PhysX is not built",
    "Vehicle.use_carsim_road": "CarSim is not built",
    "World.apply_color_texture_to_object": _PAINT,
    "World.apply_color_texture_to_objects": _PAINT,
    "World.apply_float_color_texture_to_object": _PAINT,
    "World.apply_float_color_texture_to_objects": _PAINT,
    "World.apply_textures_to_object": _PAINT,
    "World.apply_textures_to_objects": _PAINT,
    "World.set_annotations_traverse_translucency": "there are no annotated pictures",
}
# Calls that are answered and change nothing.
_NOT_DRAWN = "there is no picture to draw it into"
_LIGHTS = "there are no street lamps"
NO_EFFECT = {
    **{
        f"DebugHelper.{member}": _NOT_DRAWN
        for member in (
            *("draw_point", "draw_hud_point", "draw_line", "draw_hud_line", "draw_arrow", "draw_hud_arrow"),
            *("draw_box", "draw_hud_box", "draw_string", "clear_debug_shape", "clear_debug_string"),
        )
    },
    **{
        f"LightManager.{member}": _LIGHTS
        for member in (
            *("turn_on", "turn_off", "set_active", "set_color", "set_colors", "set_intensity", "set_intensities"),
            *("set_light_group", "set_light_groups", "set_light_state", "set_light_states", "set_day_night_cycle"),
        )
    },
    "ServerSideSensor.set_ignored_vehicles": "no sensor that is built heeds it",
    "Vehicle.show_debug_telemetry": _NOT_DRAWN,
    "World.load_map_layer": "the towns have no layers",
    "World.unload_map_layer": "the towns have no layers",
}
# Calls that no test makes, and why.
OUTSIDE = {
    "LaneInvasionEvent.actor": "the client makes these events itself and forgets to tell them their episode",
    "ServerSideSensor.enable_gbuffers": _PICTURES,
    "ServerSideSensor.get_ignored_vehicles": "the client cannot turn the answer into a Python value",
    "ServerSideSensor.is_listening_gbuffer": _PICTURES,
    "ServerSideSensor.listen_to_gbuffer": _PICTURES,
    "ServerSideSensor.stop_gbuffer": _PICTURES,
    "ServerSideSensor.send": "there are no V2X sensors",
    **{
        f"Light.{member}": _LAMPS
        for member in (
            *("color", "id", "intensity", "is_on", "location", "light_group", "light_state", "set_color"),
            *("set_intensity", "set_light_group", "set_light_state", "turn_on", "turn_off"),
        )
    },
    "command.ShowDebugTelemetry": "the client's Python class cannot be put into a batch",
}


def surface() -> list[str]:
    """Return every call of the client that a server has part in, as `Class.name`, in the client's order."""
    import carla

    calls = []
    for name in CLASSES:
        calls += [f"{name}.{member}" for member in vars(getattr(carla, name)) if not member.startswith("_")]
    kinds = (kind for kind in dir(carla.command) if not kind.startswith("_"))
    return calls + [f"{COMMANDS}.{kind}" for kind in kinds if kind not in ("Response", "FutureActor")]


def install() -> None:
    """Make the client's classes of this process note who uses them, until it ends."""
    import carla

    seen: dict[str, set[str]] = defaultdict(set)
    for name in CLASSES:
        kind = getattr(carla, name)
        for member, value in list(vars(kind).items()):
            if not member.startswith("_"):
                setattr(kind, member, _noting(value, f"{name}.{member}", seen))
    for member in dir(carla.command):
        kind = getattr(carla.command, member)
        if isinstance(kind, type):
            kind.__init__ = _noting(kind.__init__, f"{COMMANDS}.{member}", seen)  # type: ignore[misc]
    atexit.register(_write, seen)


def _noting(value: Any, call: str, seen: dict[str, set[str]]) -> Any:
    def note() -> None:
        seen[call].add(os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0].split("[")[0])

    if isinstance(value, property):
        return property(_first(note, value.fget), value.fset and _first(note, value.fset))
    if isinstance(value, staticmethod):
        return staticmethod(_first(note, value.__func__))
    return _first(note, value) if callable(value) else value


def _first(note: Callable[[], None], function: Any) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        note()
        return function(*arguments, **named)

    return call


def _write(seen: dict[str, set[str]]) -> None:
    found = {call: sorted(test for test in tests if "tests/contract/" in test) for call, tests in seen.items()}
    (Path(os.environ[FOLDER]) / f"{uuid.uuid4().hex}.json").write_text(json.dumps(found))


def read(folder: Path) -> dict[str, set[str]]:
    """Return call -> tests from what the processes of a run have written."""
    merged: dict[str, set[str]] = defaultdict(set)
    for file in folder.glob("*.json"):
        for call, tests in json.loads(file.read_text()).items():
            merged[call] |= set(tests)
    return merged


def render(tested: dict[str, set[str]]) -> str:
    """Return the page."""
    calls = surface()
    works = [call for call in calls if tested.get(call) and call not in REFUSED and call not in NO_EFFECT]
    lines = [
        "# What the simulator answers",
        "",
        "Every call of the unmodified `carla` 0.9.16 client that a server has part in, and a test in",
        "`tests/contract` that makes it. Written by `make conformance` from a run of those tests; do not edit.",
        "",
        f"{len(works)} calls work, {len(NO_EFFECT)} are accepted without effect,",
        f"{len(REFUSED)} are refused with a reason, {len(OUTSIDE)} are outside.",
        "",
        "| call | status | tested by |",
        "|---|---|---|",
        *(_row(call, tested.get(call, set())) for call in calls),
    ]
    return "\n".join(lines) + "\n"


def status_of(call: str) -> str:
    """Return the status of a call that is tested."""
    if call in REFUSED:
        return f"refused: {REFUSED[call]}"
    return f"without effect: {NO_EFFECT[call]}" if call in NO_EFFECT else "works"


def _row(call: str, tests: Iterable[str]) -> str:
    if call in OUTSIDE:
        return f"| `{call}` | outside: {OUTSIDE[call]} | |"
    status = status_of(call)
    names = sorted(test.removeprefix("tests/contract/") for test in tests)
    if not names:
        return f"| `{call}` | **not tested** | |"
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"| `{call}` | {status} | `{names[0]}`{more} |"


if __name__ == "__main__":
    print(render(read(Path(sys.argv[1]))), end="")
