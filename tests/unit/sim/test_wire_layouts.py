"""Stream bytes at the offsets where the 0.9.16 client reads them, spelled out by `struct`, not by our own tables."""

from __future__ import annotations

import struct

import msgpack
import numpy as np
import pytest

from harness.sim.observer import observe
from harness.sim.wire.messages import Actor, ActorDescription, BoundingBox, Rotation, Vector3D
from harness.sim.wire.stream import (
    decode_subscription,
    encode_collision,
    encode_frame,
    encode_gnss,
    encode_imu,
    encode_observer,
    encode_obstacle,
    encode_token,
)
from harness.sim.world.town import Town
from harness.sim.world.world import World

RECORD = 119


def test_a_token_has_24_bytes() -> None:
    token = encode_token(0x01020304, 0xABCD)
    assert token == bytes.fromhex("04030201 cdab 01 00") + bytes(16)


def test_a_subscription_is_a_little_endian_number() -> None:
    assert decode_subscription(b"\x02\x01\x00\x00") == 0x0102


def test_a_frame_is_length_header_and_payload() -> None:
    pose = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    data = encode_frame(17, 123456789012, 1.5, pose, b"payload")
    length, sensor, frame, time_s, *transform = struct.unpack_from("<IQQd6f", data)
    assert (length, sensor, frame, time_s) == (48 + 7, 17, 123456789012, 1.5)
    assert transform == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert data[4 + 48 :] == b"payload"


def test_the_observer_header_has_36_bytes() -> None:
    world_records = np.zeros(0, np.uint8)
    data = encode_observer(2**40, 1234.5, 0.25, world_records)
    assert data == struct.pack("<Qdf3iI", 2**40, 1234.5, 0.25, 0, 0, 0, 0)
    assert len(data) == 36


@pytest.fixture
def busy(borough: Town) -> World:
    world = World(borough, episode_id=1, first_actor_id=1, frame=1)
    world.spawn("vehicle.audi.tt", {}, (480.0, -184.75, 0.0, 0.0, 0.0, 0.0))
    return world


def test_a_vehicle_record_is_at_its_offsets(busy: World) -> None:
    table = busy.table
    row = len(table) - 1
    table.kin[row] = np.arange(1.0, 16.0)
    table.control[row] = 0.25, -0.5, 0.75
    table.hand_brake[row], table.reverse[row], table.manual_gear_shift[row] = True, False, True
    table.gear[row], table.speed_limit_kmh[row] = -1, 50.0
    table.light_index[row] = 2
    busy.lights.state[2] = 1
    record = observe(busy)[row].tobytes()
    assert len(record) == RECORD
    actor, state = struct.unpack_from("<IB", record, 0)
    assert (actor, state) == (int(table.ids[row]), 1)
    assert struct.unpack_from("<15f", record, 5) == tuple(np.arange(1.0, 16.0))
    assert struct.unpack_from("<3f3Bi", record, 65) == (0.25, -0.5, 0.75, 1, 0, 1, -1)
    assert struct.unpack_from("<fBBIB", record, 65 + 19) == (50.0, 1, 1, busy.light_ids[2], 0)
    assert record[65 + 30 :] == bytes(24)


def test_a_vehicle_under_no_light_reads_green_and_not_at_a_light(busy: World) -> None:
    record = observe(busy)[len(busy.table) - 1].tobytes()
    assert struct.unpack_from("<BBI", record, 65 + 23) == (2, 0, 0)


def test_light_and_sign_records_are_at_their_offsets(busy: World) -> None:
    lights = busy.lights
    lights.set_time(1, 2, 11.0)
    lights.set_time(1, 1, 4.0)
    lights.set_time(1, 0, 6.0)
    lights.elapsed_s[1] = 1.25
    lights.freeze(1, True)
    lights.state[1] = 1
    lights.pole_index[1] = 7
    records = observe(busy).tobytes()
    count = len(busy.light_ids)
    light = records[2 * RECORD : 3 * RECORD]
    assert struct.unpack_from("<I", light) == (busy.light_ids[1],)
    assert light[65:97] == busy.town.lights[1].signal_id.encode().ljust(32, b"\0")
    assert struct.unpack_from("<4fIBB", light, 97) == (11.0, 4.0, 6.0, 1.25, 7, 1, 1)
    sign = records[(1 + count) * RECORD : (2 + count) * RECORD]
    assert struct.unpack_from("<I", sign) == (busy.sign_ids[0],)
    assert sign[65:97] == busy.town.signs[0].signal_id.encode().ljust(32, b"\0")
    assert sign[97:] == bytes(RECORD - 97)


def test_a_collision_is_two_actors_and_an_impulse() -> None:
    zero = Vector3D(0.0, 0.0, 0.0)
    box = BoundingBox(zero, zero, Rotation(0.0, 0.0, 0.0), 7)
    actor = Actor(7, 0, ActorDescription(1, "vehicle.a.b", []), box, bytes([14]), b"")
    this, other, impulse = msgpack.unpackb(encode_collision(actor, actor._replace(id=8), Vector3D(1.0, 2.0, 3.0)))
    assert (this[0], this[2][1], this[4], this[5], other[0], impulse) == (
        7,
        "vehicle.a.b",
        b"\x0e",
        b"",
        8,
        [1.0, 2.0, 3.0],
    )


def test_readings_are_numbers_in_the_clients_order() -> None:
    assert msgpack.unpackb(encode_gnss(1.5, -2.5, 3.5)) == [1.5, -2.5, 3.5]
    reading = encode_imu(Vector3D(1.0, 2.0, 3.0), Vector3D(4.0, 5.0, 6.0), 0.5)
    assert msgpack.unpackb(reading) == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 0.5]


def test_an_obstacle_is_two_actors_and_a_distance() -> None:
    zero = Vector3D(0.0, 0.0, 0.0)
    box = BoundingBox(zero, zero, Rotation(0.0, 0.0, 0.0), 7)
    actor = Actor(7, 0, ActorDescription(1, "vehicle.a.b", []), box, bytes([14]), b"")
    this, other, distance_m = msgpack.unpackb(encode_obstacle(actor, actor._replace(id=8), 2.5))
    assert (this[0], other[0], distance_m) == (7, 8, 2.5)
