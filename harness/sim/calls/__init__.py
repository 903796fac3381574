"""What each remote call does to the simulation; one function per call, named as on the wire.

A function takes the simulation and the decoded arguments, returns the bare result (nothing for void calls) and
raises SimError with the text that the client shows.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from harness.sim.calls import (
    actors,
    batch,
    bodies,
    episode,
    files,
    lights,
    parts,
    refused,
    scenery,
    vehicle_physics,
    vehicles,
    walkers,
)

Handler = Callable[..., Any]


def _public_functions(module: ModuleType) -> dict[str, Handler]:
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    }


HANDLERS: dict[str, Handler] = {
    name: function
    for module in (
        actors,
        batch,
        bodies,
        episode,
        files,
        lights,
        parts,
        refused,
        scenery,
        vehicle_physics,
        vehicles,
        walkers,
    )
    for name, function in _public_functions(module).items()
}
