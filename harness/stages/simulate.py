"""Serve the embedded simulator."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.config import cache_folder
from harness.errors import RouteError, SimError
from harness.sim.server import STREAM_WAIT_S, SimulatorServer, run_server
from harness.sim.shelf import load_town, parse_town
from harness.sim.simulation import Simulation, TownShelf
from harness.sim.world.town import Town
from harness.suites import find_town, list_towns

# Town13, the largest of CARLA's, has 89 million.
MAX_TOWN_BYTES = 512 * 1024 * 1024
# Towns kept in memory; workers of one suite go back and forth between a few.
_KEPT_TOWNS = 3


def town_shelf(folders: Sequence[Path], first_town: str) -> TownShelf:
    """Return what loads the towns of some folders.

    The few that were used last stay in memory, and always the first one: the simulator returns to it whenever its last
    client has left, and must not read a file then.
    """
    kept: dict[str, Town] = {}
    change = threading.Lock()  # a town is read in another thread than the one that goes back to the first town

    def load(name: str, given_up: threading.Event) -> Town:
        with change:
            if name in kept:
                kept[name] = kept.pop(name)  # to the end: used last
                return kept[name]
        file = find_town(name, folders)
        if file is None:
            raise SimError(f"Map '{name}' not found")
        try:
            opendrive = read_opendrive(file)
        except RouteError as error:
            raise SimError(error.message) from error  # for the client that asked
        town = load_town(name, opendrive, cache_folder() / "derived", given_up)
        with change:
            kept[name] = town
            if len(kept) > _KEPT_TOWNS:
                del kept[next(other for other in kept if other != first_town)]
        return town

    return TownShelf(load=load, names=lambda: list_towns(folders), parse=parse_town)


def read_opendrive(file: Path) -> str:
    """Return the text of a town file, plain or compressed.

    Raises:
        RouteError: it cannot be read.
    """
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
            data = opened.read(MAX_TOWN_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise RouteError(f"town file {file} cannot be read: {error}; expected OpenDRIVE, plain or gzip") from error
    if len(data) > MAX_TOWN_BYTES:
        raise RouteError(f"town file {file} is larger than {MAX_TOWN_BYTES} bytes, expected a town")
    return text


def first_available(towns: Sequence[str], folders: Sequence[Path]) -> str:
    """Return the first of some towns that can be loaded; the first of all if none can, for `serve` to say so."""
    return next((town for town in towns if find_town(town, folders) is not None), towns[0])


def free_port(host: str) -> int:
    """Return a port that is free now.

    Raises:
        SimError: the address is none of this machine's.
    """
    try:
        with socket.create_server((host, 0)) as listener:
            port: int = listener.getsockname()[1]
            return port
    except OSError as error:
        raise SimError(
            f"no free port on {host}: {error.strerror or error}; expected an address to listen on"
        ) from error


def serve(
    *,
    host: str,
    port: int,
    town: str,
    folders: Sequence[Path],
    resets_between_clients: bool,
    on_ready: Callable[[str], None],
    stream_port: int | None = None,
    stream_wait_s: float = STREAM_WAIT_S,
) -> None:
    """Serve a town until interrupted.

    Args:
        port: of the calls.
        stream_port: the port behind it if None.
        stream_wait_s: how long a synchronous tick waits for clients that do not read their sensors.
        on_ready: called with a sentence for the user once clients can connect.

    Raises:
        RouteError: the town is in none of the folders.
        SimError: a port is taken, or the town cannot be read.
    """
    if find_town(town, folders) is None:
        known = ", ".join(list_towns(folders)) or "none"
        raise RouteError(f"town {town!r} not found (has {known})", hint=f"harness simulator --town {town} --maps DIR")
    stream_port = port + 1 if stream_port is None else stream_port
    shelf = town_shelf(folders, town)
    server = SimulatorServer(
        lambda stream_port: Simulation(shelf, town, stream_port=stream_port, wall_clock_s=time.time),
        resets_between_clients=resets_between_clients,
        stream_wait_s=stream_wait_s,
    )
    run_server(
        server,
        host,
        port,
        stream_port,
        lambda rpc_port: on_ready(f"{town} is served on {host}:{rpc_port} (streams on {stream_port}); Ctrl-C ends it"),
    )
