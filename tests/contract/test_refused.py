"""Calls for things that this simulator does not have, but knows: they say what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import carla
import pytest

RECORDER, REPLAYER = "the recorder is not built", "the replayer is not built"

# Calls that wait for an answer.
REFUSED: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "start_recorder": (RECORDER, lambda client, world: client.start_recorder("log", True)),
    "show_recorder_file_info": (RECORDER, lambda client, world: client.show_recorder_file_info("log", True)),
    "show_recorder_collisions": (RECORDER, lambda client, world: client.show_recorder_collisions("log", "a", "a")),
    "show_recorder_actors_blocked": (
        RECORDER,
        lambda client, world: client.show_recorder_actors_blocked("log", 30.0, 10.0),
    ),
    "replay_file": (REPLAYER, lambda client, world: client.replay_file("log", 0.0, 0.0, 0)),
    "apply_color_texture_to_object": (
        "textures are not built",
        lambda client, world: world.apply_color_texture_to_object(
            "Road_0_0", carla.MaterialParameter.Diffuse, carla.TextureColor(4, 4)
        ),
    ),
    "apply_float_color_texture_to_object": (
        "textures are not built",
        lambda client, world: world.apply_float_color_texture_to_object(
            "Road_0_0", carla.MaterialParameter.Normal, carla.TextureFloatColor(4, 4)
        ),
    ),
}

# Calls that the client sends without waiting, so no error can reach it: they do nothing here, and the log says so.
IGNORED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "stop_recorder": lambda client, world, car: client.stop_recorder(),
    "set_replayer_time_factor": lambda client, world, car: client.set_replayer_time_factor(2.0),
    "set_replayer_ignore_hero": lambda client, world, car: client.set_replayer_ignore_hero(True),
    "set_replayer_ignore_spectator": lambda client, world, car: client.set_replayer_ignore_spectator(True),
    "stop_replayer": lambda client, world, car: client.stop_replayer(True),
    "set_annotations_traverse_translucency": lambda client, world, car: world.set_annotations_traverse_translucency(
        True
    ),
}


@pytest.mark.parametrize("call", REFUSED)
def test_a_call_says_what_is_missing(client: Any, world: Any, call: str) -> None:
    words, make = REFUSED[call]
    with pytest.raises(RuntimeError, match=words):
        make(client, world)
    frame = world.get_snapshot().frame
    assert world.tick() == frame + 1


def test_calls_without_an_answer_do_nothing_and_are_logged(
    server: Any, client: Any, world: Any, spawn: Callable[..., Any]
) -> None:
    car = spawn()
    world.tick()
    before = car.get_transform()
    for call in IGNORED.values():
        call(client, world, car)
    for _ in range(3):
        world.tick()
    assert car.get_transform() == before
    log = server.log.read_text()
    assert "is not built in this simulator" in log
    assert [name for name in IGNORED if f"call {name} was refused: " not in log] == []


def test_what_cannot_be_spawned_is_not_in_the_library(world: Any) -> None:
    library = world.get_blueprint_library()
    not_built = ("sensor.camera.*", "sensor.lidar.*", "sensor.other.radar", "sensor.other.rss", "sensor.other.v2x*")
    assert [blueprint.id for pattern in not_built for blueprint in library.filter(pattern)] == []
