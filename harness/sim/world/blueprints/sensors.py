"""Sensors that work here, with CARLA's defaults; lengths in metres, times in seconds."""

from __future__ import annotations

from harness.sim.world.blueprints.blueprint import Attribute, AttributeType, Blueprint, names, setting

_FLOAT, _INT, _BOOL = AttributeType.FLOAT, AttributeType.INT, AttributeType.BOOL
_PLACES = ("front", "back", "left", "right", "front_left", "front_right", "back_left", "back_right")
_TICK = setting("sensor_tick", _FLOAT, "0.0")
_SEED = setting("noise_seed", _INT, "0")

# type id: attributes besides the names
_SENSORS: dict[str, tuple[Attribute, ...]] = {
    "sensor.other.collision": (),
    "sensor.other.lane_invasion": (),
    "sensor.other.obstacle": (
        _TICK,
        setting("distance", _FLOAT, "5.0"),
        setting("hit_radius", _FLOAT, "0.5"),
        setting("only_dynamics", _BOOL, "false"),
        setting("debug_linetrace", _BOOL, "false"),
    ),
    "sensor.other.imu": (
        _TICK,
        _SEED,
        *(setting(f"noise_accel_stddev_{axis}", _FLOAT, "0.0") for axis in "xyz"),
        *(setting(f"noise_gyro_stddev_{axis}", _FLOAT, "0.0") for axis in "xyz"),
        *(setting(f"noise_gyro_bias_{axis}", _FLOAT, "0.0") for axis in "xyz"),
    ),
    "sensor.other.gnss": (
        _TICK,
        _SEED,
        *(
            setting(f"noise_{coordinate}_{what}", _FLOAT, "0.0")
            for coordinate in ("lat", "lon", "alt")
            for what in ("stddev", "bias")
        ),
    ),
}

SENSORS: tuple[Blueprint, ...] = tuple(
    Blueprint(type_id=type_id, attributes=(*names(type_id, _PLACES), *attributes))
    for type_id, attributes in _SENSORS.items()
)
