"""Which sensors read at which tick."""

from __future__ import annotations

import pytest

from harness.sim.sensors.gnss import GnssFix
from harness.sim.sensors.obstacle import Obstacle
from harness.sim.sensors.rig import Reading, Rig
from harness.sim.world.actors import ActorInfo
from harness.sim.world.impacts import Collision
from harness.sim.world.town import Town
from harness.sim.world.world import World

GRAVITY_MPS2 = 9.81
DT_S = 0.05


class _Everything:
    def __contains__(self, stream_id: object) -> bool:
        return True


@pytest.fixture
def street(borough: Town) -> World:
    return World(borough, episode_id=1, first_actor_id=1, frame=1)


def _car(world: World, x_m: float = 480.0) -> ActorInfo:
    return world.spawn("vehicle.audi.tt", {}, (x_m, -184.75, 0.0, 0.0, 0.0, 0.0))


def _sensor(world: World, kind: str, parent: ActorInfo, **attributes: str) -> ActorInfo:
    return world.spawn(f"sensor.other.{kind}", attributes, (1.0, 0.0, 1.0, 0.0, 0.0, 0.0), parent_id=parent.id)


def _tick(world: World, rig: Rig, heard: object = None, dt_s: float = DT_S) -> list[Reading]:
    collisions = world.step(dt_s)
    return rig.read(collisions, _Everything() if heard is None else heard, GRAVITY_MPS2)  # type: ignore[arg-type]


def _ticks_with_readings(world: World, rig: Rig, count: int, dt_s: float) -> list[int]:
    return [tick for tick in range(count) if _tick(world, rig, dt_s=dt_s)]


@pytest.mark.parametrize(
    ("interval", "dt_s", "expected"),
    [
        ("0", 0.05, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("0.01", 0.05, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("-1", 0.05, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("0.05", 0.05, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("0.1", 0.05, [0, 2, 4, 6]),
        ("0.125", 0.05, [0, 3, 5]),  # due at 0.125 and 0.25 after the first
        ("100", 0.05, [0]),
    ],
)
def test_sensors_read_at_their_first_tick_and_then_at_their_interval(
    street: World, interval: str, dt_s: float, expected: list[int]
) -> None:
    _sensor(street, "gnss", _car(street), sensor_tick=interval)
    assert _ticks_with_readings(street, Rig(street), 8, dt_s) == expected


def test_rounding_of_times_skips_no_reading(street: World) -> None:
    _sensor(street, "gnss", _car(street), sensor_tick="0.1")
    assert _ticks_with_readings(street, Rig(street), 400, DT_S) == list(range(0, 400, 2))


def test_without_sensors_there_is_nothing_to_read(street: World) -> None:
    _car(street)
    assert _tick(street, Rig(street)) == []


def test_a_reading_is_made_only_where_somebody_listens(street: World) -> None:
    car = _car(street)
    heard, _unheard = _sensor(street, "gnss", car), _sensor(street, "imu", car)
    readings = _tick(street, Rig(street), {heard.stream_id})
    assert [(reading.sensor.id, type(reading.value)) for reading in readings] == [(heard.id, GnssFix)]


def test_readings_do_not_depend_on_who_listened_before(borough: Town) -> None:
    found = []
    for heard_from in (0, 8):
        world = World(borough, episode_id=1, first_actor_id=1, frame=1)
        rig, car = Rig(world), _car(world)
        for kind, noise in (("imu", "noise_accel_stddev_x"), ("gnss", "noise_alt_stddev")):
            _sensor(world, kind, car, **{noise: "1", "noise_seed": "3", "sensor_tick": "0.1"})
        world.table.control[world.table.row(car.id)] = 1.0, 0.1, 0.0
        readings = [_tick(world, rig, () if tick < heard_from else None) for tick in range(12)]
        found.append([[reading.value for reading in tick] for tick in readings[8:]])
    assert found[0] == found[1]
    assert any(found[0])


def test_a_collision_goes_to_the_sensors_of_the_one_that_was_hit(street: World) -> None:
    car, other = _car(street), _car(street, 520.0)
    sensor = _sensor(street, "collision", car)
    rig = Rig(street)
    collisions = [Collision(car.id, other.id, (1.0, 2.0, 0.0)), Collision(other.id, car.id, (-1.0, -2.0, 0.0))]
    street.step(DT_S)
    readings = rig.read(collisions, _Everything(), GRAVITY_MPS2)
    assert readings == [Reading(sensor, collisions[0])]
    assert rig.read(collisions, (), GRAVITY_MPS2) == []


def test_an_obstacle_is_what_moves_if_the_sensor_asks_for_that(street: World) -> None:
    car = _car(street)
    barrier = street.spawn("static.prop.container", {}, (490.0, -184.75, 0.0, 0.0, 0.0, 0.0))
    other = _car(street, 500.0)
    _sensor(street, "obstacle", car, distance="30")
    _sensor(street, "obstacle", car, distance="30", only_dynamics="true")
    rig = Rig(street)
    values = [reading.value for reading in _tick(street, rig)]
    assert [(v.this, v.other) for v in values if isinstance(v, Obstacle)] == [(car.id, barrier.id), (car.id, other.id)]


def test_a_pole_is_an_obstacle_until_it_is_switched_off(street: World, borough: Town) -> None:
    scenery = borough.scenery
    index = next(k for k, name in enumerate(scenery.names) if name.startswith("Pole_"))
    x_m, y_m, _ = scenery.centre_m[index].tolist()
    pose = (x_m - 3.0, y_m, 1.0, 0.0, 0.0, 0.0)
    sensor = street.spawn("sensor.other.obstacle", {"hit_radius": "0"}, pose)
    rig = Rig(street)
    (reading,) = _tick(street, rig)
    assert isinstance(reading.value, Obstacle)
    assert (reading.value.this, street.table.info[reading.value.other].signal_id) == (
        sensor.id,
        scenery.standing_signals[index - scenery.surfaces],
    )
    assert reading.value.distance_m == pytest.approx(3.0 - 0.15, abs=0.01)
    street.hidden_scenery = frozenset({int(scenery.ids[index])})
    assert _tick(street, rig) == []


def test_a_sensor_that_is_destroyed_reads_nothing_and_leaves_nothing(street: World) -> None:
    car = _car(street)
    first, second = _sensor(street, "imu", car), _sensor(street, "imu", car)
    rig = Rig(street)
    assert len(_tick(street, rig)) == 2
    street.destroy(first.id)
    assert [reading.sensor.id for reading in _tick(street, rig)] == [second.id]
    assert list(rig._mounted) == [second.id]


def test_a_sensor_outlives_the_vehicle_that_carried_it(street: World) -> None:
    car = _car(street)
    sensors = [_sensor(street, kind, car) for kind in ("imu", "gnss", "obstacle")]
    rig = Rig(street)
    _tick(street, rig)
    street.destroy(car.id)
    assert {reading.sensor.id for reading in _tick(street, rig)} <= {sensor.id for sensor in sensors}
