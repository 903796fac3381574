"""The streaming port: tokens, frames and the payloads of the streams that this server has."""

from __future__ import annotations

import struct
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from harness.sim.wire.messages import Actor, Vector3D
from harness.sim.wire.schema import ADDRESS_OF_RPC_HOST, OBSERVER_HEADER, PROTOCOL_TCP, STREAM_HEADER, STREAM_TOKEN

SUBSCRIBE_BYTES = 4
_LENGTH = struct.Struct("<I")


def encode_token(stream_id: int, port: int) -> bytes:
    """Return the 24-byte token of a stream; the client connects to the host that it uses for RPC."""
    token = np.zeros((), STREAM_TOKEN)
    token["stream"], token["port"] = stream_id, port
    token["protocol"], token["address_type"] = PROTOCOL_TCP, ADDRESS_OF_RPC_HOST
    return token.tobytes()


def decode_subscription(data: bytes) -> int:
    """Return the stream id in the four bytes that a subscriber sends."""
    (stream_id,) = _LENGTH.unpack(data)
    return int(stream_id)


def encode_frame(sensor: int, frame: int, time_s: float, pose: NDArray[np.float64] | None, payload: bytes) -> bytes:
    """Return one stream message: length, common header, payload.

    Args:
        sensor: index of the sensor type in the client's table.
        frame: simulator frame.
        time_s: simulation time.
        pose: sensor pose in the world (x, y, z [m], pitch, yaw, roll [deg]), shape (6,); zeros if None.
        payload: sensor specific bytes.
    """
    header = np.zeros((), STREAM_HEADER)
    header["sensor"], header["frame"], header["time_s"] = sensor, frame, time_s
    if pose is not None:
        header["transform"] = pose
    return _LENGTH.pack(STREAM_HEADER.itemsize + len(payload)) + header.tobytes() + payload


def encode_observer(episode_id: int, platform_time_s: float, delta_s: float, records: NDArray[Any]) -> bytes:
    """Return the payload of the world observer.

    Args:
        records: one `OBSERVER_RECORD` per live actor, shape (N,).
    """
    header = np.zeros((), OBSERVER_HEADER)
    header["episode"], header["platform_time_s"], header["delta_s"] = episode_id, platform_time_s, delta_s
    return header.tobytes() + records.tobytes()


def encode_collision(this: Actor, other: Actor, impulse: Vector3D) -> bytes:
    """Return the payload of a collision event; `impulse` is the normal impulse [N s] on `this`, world frame."""
    packed: bytes = msgpack.packb([this, other, impulse], use_bin_type=True)
    return packed


def encode_obstacle(this: Actor, other: Actor, distance_m: float) -> bytes:
    """Return the payload of an obstacle event."""
    packed: bytes = msgpack.packb([this, other, distance_m], use_bin_type=True)
    return packed


def encode_gnss(latitude_deg: float, longitude_deg: float, altitude_m: float) -> bytes:
    """Return the payload of a GNSS fix."""
    packed: bytes = msgpack.packb([latitude_deg, longitude_deg, altitude_m], use_bin_type=True)
    return packed


def encode_imu(accelerometer_mps2: Vector3D, gyroscope_radps: Vector3D, compass_rad: float) -> bytes:
    """Return the payload of an inertial reading, in the sensor's frame."""
    packed: bytes = msgpack.packb([accelerometer_mps2, gyroscope_radps, compass_rad], use_bin_type=True)
    return packed
