"""Calls about files that the server has for its clients: the navigation mesh of the town.

Clients keep such files by name and never ask again, so the name has a hash of the content in it. Nothing is read from a
disk here: whatever name a client sends is compared with the names of what there is.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from weakref import WeakKeyDictionary

from harness.errors import SimError
from harness.sim.simulation import Simulation
from harness.sim.wire.navmesh import encode_navmesh
from harness.sim.world.navigation import Walkways
from harness.sim.world.town import Town

_FOLDER = "Nav"


class _File(NamedTuple):
    name: str
    data: bytes


_meshes: WeakKeyDictionary[Walkways, _File] = WeakKeyDictionary()


def get_required_files(simulation: Simulation, folder: str) -> list[str]:
    """Return the name of the navigation mesh; there is nothing else, and none in a town where nobody can walk.

    While a client arrives in another town it asks for that one's.
    """
    town = simulation.prepared_town or simulation.world.town
    if folder.strip("/") not in ("", _FOLDER) or not len(town.walkways.polygons):
        return []
    return [_mesh(town).name]


def request_file(simulation: Simulation, name: str) -> bytes:
    for town in (simulation.prepared_town, simulation.world.town):
        if town is not None and len(town.walkways.polygons) and _mesh(town).name == name:
            return _mesh(town).data
    raise SimError(f"unable to find file: {name[:200]!r} is not one of get_required_files")


def get_navigation_mesh(simulation: Simulation) -> bytes:
    return _mesh(simulation.world.town).data


def _mesh(town: Town) -> _File:
    ways = town.walkways
    file = _meshes.get(ways)
    if file is None:
        data = encode_navmesh(ways.vertices_m, ways.polygons, ways.ground)
        safe_name = re.sub(r"[^A-Za-z0-9_-]", "_", town.name)[:64]
        file = _File(f"Carla/Maps/{_FOLDER}/{safe_name}-{hashlib.sha256(data).hexdigest()[:16]}.bin", data)
        _meshes[ways] = file
    return file
