"""The server's state across calls: the current episode, its settings and the messages waiting to be streamed.

No sockets here: calls change the state, ticks put messages into `outbox`, and the server carries them away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import NamedTuple

from harness.errors import SimError
from harness.sim.complaints import Complaints
from harness.sim.describe import reading_payload
from harness.sim.observer import observe
from harness.sim.sensors.rig import Reading, Rig
from harness.sim.wire.messages import EpisodeSettings
from harness.sim.wire.schema import SCHEMAS, WORLD_OBSERVER, Schema
from harness.sim.wire.stream import encode_frame, encode_observer
from harness.sim.world.actors import POSE, Kind
from harness.sim.world.town import Town, build_town
from harness.sim.world.world import World

OBSERVER_STREAM_ID = 1
DEFAULT_SETTINGS = EpisodeSettings(
    synchronous_mode=False,
    no_rendering_mode=False,
    fixed_delta_seconds=None,
    substepping=True,
    max_substep_delta_time=0.01,
    max_substeps=10,
    max_culling_distance=0.0,
    deterministic_ragdolls=True,
    tile_stream_distance=3000.0,
    actor_active_distance=2000.0,
    spectator_as_ego=True,
)
# Tick lengths that make sense to the vehicle model; beyond, a client gets an error instead of another length.
MIN_DELTA_S, MAX_DELTA_S = 1e-4, 0.2
# Tick length while nobody set one; CARLA uses the time the last frame took.
DEFAULT_DELTA_S = 0.05
# Ids of an episode start at a multiple of this, whatever towns were loaded before: results never depend on them.
_ACTOR_IDS_PER_EPISODE = 100_000
_LONGEST_TOWN_NAME = 100
# The name of a town whose text a client has sent.
CLIENT_TOWN = "OpenDriveMap"
STANDARD_GRAVITY_MPS2 = 9.81
_ALL_MAP_LAYERS = 0xFFFF


class StreamMessage(NamedTuple):
    """Bytes for the subscribers of a stream."""

    stream_id: int
    data: bytes


class Later(NamedTuple):
    """What a call returns whose town takes long to get: the server has it done beside everything else.

    Attributes:
        fetch: gets the town, in a thread; it neither looks at a simulation nor changes one, and ends soon once its
            event is set.
        then: takes the town, when the server's loop has its turn again.
        is_sent: the client has sent the text of the town.
    """

    fetch: Callable[[threading.Event], Town]
    then: Callable[[Town], None]
    is_sent: bool


@dataclass(frozen=True)
class TownShelf:
    """Where towns come from.

    Attributes:
        load: town name -> town; raises SimError for an unknown name. Its event is set if nobody wants it any more.
        names: returns the names of the towns that can be loaded.
        parse: name, OpenDRIVE text -> town; raises SimError for a text that is none. Keeps nothing.
    """

    load: Callable[[str, threading.Event], Town]
    names: Callable[[], list[str]]
    parse: Callable[[str, str, threading.Event], Town] = lambda name, opendrive, given_up: build_town(name, opendrive)


class Simulation:
    """Everything a client can change.

    Attributes:
        world: the current episode.
        rig: its sensors.
        heard: ids of the streams that somebody listens to; the server's own, it changes by itself.
        settings: of the episode, in the client's layout.
        traffic_managers: port -> address that a client registered.
        outbox: messages to stream, oldest first; the server empties it.
        complaints: what was said to the log, kept over resets.
        prepared_town: of the episode that a client has asked for and that has not begun, or None.
        client_town: made of the text that a client has sent, or None.
        map_layers: flags of those that clients left loaded; nothing depends on them.
        imu_gravity_mps2: what inertial sensors feel at rest.
    """

    def __init__(
        self, shelf: TownShelf, town_name: str, *, stream_port: int, wall_clock_s: Callable[[], float]
    ) -> None:
        self.schema: Schema = SCHEMAS["0.9.16"]
        self.shelf = shelf
        self.stream_port = stream_port
        self._wall_clock_s = wall_clock_s
        self._first_town_name = town_name
        self.outbox: list[StreamMessage] = []
        self.complaints = Complaints()
        self.heard: Container[int] = ()
        self.reset()

    def reset(self) -> None:
        """Return to the state after start-up: first town, default settings, ids and frames from the beginning."""
        self.settings = DEFAULT_SETTINGS
        self.traffic_managers: dict[int, str] = {}
        self.outbox.clear()
        self.prepared_town: Town | None = None
        self.client_town: Town | None = None
        self.map_layers = _ALL_MAP_LAYERS
        self.imu_gravity_mps2 = STANDARD_GRAVITY_MPS2
        town = self.shelf.load(self._first_town_name, threading.Event())
        self.world = World(town, episode_id=1, first_actor_id=1, frame=1)
        self.rig = Rig(self.world)

    def set_settings(self, settings: EpisodeSettings) -> None:
        """Take over settings; a tick length of zero or less means none.

        Raises:
            SimError: the tick length is not one this simulator can step by; the old settings stay.
        """
        delta_s = settings.fixed_delta_seconds
        if delta_s is not None and delta_s <= 0.0:
            settings = settings._replace(fixed_delta_seconds=None)
        elif delta_s is not None and not MIN_DELTA_S <= delta_s <= MAX_DELTA_S:
            raise SimError(f"fixed_delta_seconds is {delta_s:g}, expected {MIN_DELTA_S:g} to {MAX_DELTA_S:g}")
        self.settings = settings

    def full_town_name(self, name: str) -> str:
        """Return the name of the town that a client means: without its folder, the current one if it names none.

        Raises:
            SimError: no town has such a name.
        """
        wanted = name.rsplit("/", 1)[-1] or self.world.town.name
        if len(wanted) > _LONGEST_TOWN_NAME:
            raise SimError(f"Map '{wanted[:_LONGEST_TOWN_NAME]}...' not found")
        return wanted

    def town_at_hand(self, name: str) -> Town | None:
        """Return a town that need not be fetched: the one that a client has sent, or the current one."""
        if name == CLIENT_TOWN and self.client_town is not None:
            return self.client_town
        return self.world.town if name == self.world.town.name else None

    def prepare_episode(self, town: Town, *, reset_settings: bool) -> None:
        """Note the town of the next episode, which `begin_episode` begins."""
        self.prepared_town = town
        if reset_settings:
            # At once, as CARLA does: a client that still found synchronous mode would tick while it arrives.
            self.settings = DEFAULT_SETTINGS

    def begin_episode(self) -> None:
        """Begin a new episode in the prepared town; actors of the old one are gone, frames go on counting."""
        assert self.prepared_town is not None
        town, self.prepared_town = self.prepared_town, None
        old = self.world
        first_id = (old.next_actor_id // _ACTOR_IDS_PER_EPISODE + 1) * _ACTOR_IDS_PER_EPISODE + 1
        self.world = World(town, episode_id=old.episode_id + 1, first_actor_id=first_id, frame=old.frame + 1)
        self.rig = Rig(self.world)
        # Clients poll for a state of the new episode, in synchronous mode too.
        self.outbox.append(self.observer_message())

    def tick(self, measured_delta_s: float = DEFAULT_DELTA_S) -> int:
        """Advance the world and queue what the streams show of it.

        Args:
            measured_delta_s: tick length [s] if the settings do not fix one.

        Returns:
            The number of the frame that was produced.
        """
        delta_s = self.settings.fixed_delta_seconds or measured_delta_s
        self.world.active_distance_m = self.settings.actor_active_distance
        collisions = self.world.step(min(max(delta_s, MIN_DELTA_S), MAX_DELTA_S))
        # Sensors first: whoever has seen the new frame has had the chance to see its events.
        for reading in self.rig.read(collisions, self.heard, self.imu_gravity_mps2):
            self.outbox.append(self._sensor_message(reading))
        self.outbox.append(self.observer_message())
        return self.world.frame

    def observer_message(self) -> StreamMessage:
        """Return the current state of all actors as a stream message."""
        world = self.world
        payload = encode_observer(world.episode_id, self._wall_clock_s(), world.delta_s, observe(world))
        index = self.schema.sensor_index[WORLD_OBSERVER]
        return StreamMessage(OBSERVER_STREAM_ID, encode_frame(index, world.frame, world.elapsed_s, None, payload))

    def _sensor_message(self, reading: Reading) -> StreamMessage:
        world, sensor = self.world, reading.sensor
        pose = world.table.kin[world.table.row(sensor.id), POSE]
        payload = reading_payload(reading, world.table.info, self.stream_port)
        index = self.schema.sensor_index[sensor.type_id]
        return StreamMessage(sensor.stream_id, encode_frame(index, world.frame, world.elapsed_s, pose, payload))

    def find_row(self, actor_id: int, method: str, kind: Kind | None = None) -> int:
        """Return the row of an actor, of one kind if that is given.

        Raises:
            SimError: no such actor, in CARLA's words, or it is of another kind.
        """
        row = self.world.table.row(actor_id)
        if row is None:
            raise SimError(f"{method}: Actor could not be found in the registry. Actor Id: {actor_id}")
        if kind is not None and self.world.table.kind[row] != kind:
            raise SimError(f"{method}: Actor is not a {kind.name.lower()}. Actor Id: {actor_id}")
        return row
