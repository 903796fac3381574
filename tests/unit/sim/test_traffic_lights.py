"""The cycle of the lights, and the controllers it is built from."""

from __future__ import annotations

from xml.parsers.expat import ExpatError

import pytest

from harness.sim.world.signals import Box, Controller, LanePlace, Signal, StopLine, read_controllers
from harness.sim.world.traffic_lights import LightState, TrafficLights

DT_S = 0.05
RED, YELLOW, GREEN = LightState.RED, LightState.YELLOW, LightState.GREEN


def _signal(name: str, junction_id: int = 5) -> Signal:
    line = StopLine(
        x_m=0.0,
        y_m=0.0,
        z_m=0.0,
        yaw_deg=0.0,
        half_width_m=1.75,
        junction_id=junction_id,
        approach=(LanePlace(1, -1, 0.0),),
    )
    return Signal(
        signal_id=name,
        type="1000001",
        limit_kmh=0.0,
        x_m=0.0,
        y_m=0.0,
        z_m=0.0,
        yaw_deg=0.0,
        trigger=Box(x_m=0.0, y_m=0.0, z_m=0.0, half_x_m=1.0, half_y_m=1.0, half_z_m=1.0),
        stop_lines=(line,),
        places=(),
    )


def _controller(name: str, *signals: str, sequence: int = 0, junction: str = "5") -> Controller:
    return Controller(controller_id=name, signal_ids=signals, junction_id=junction, sequence=sequence)


@pytest.fixture
def lights() -> TrafficLights:
    """Two controllers at junction 5: lights 0 and 1 together, then light 2; light 3 alone at junction 6."""
    signals = [_signal("a"), _signal("b"), _signal("c"), _signal("d", 6)]
    return TrafficLights(signals, [_controller("2", "c", sequence=1), _controller("1", "a", "b", sequence=0)])


def _run(lights: TrafficLights, seconds: float) -> None:
    for _ in range(round(seconds / DT_S)):
        lights.step(DT_S)


@pytest.mark.parametrize(
    ("seconds", "states"),
    [
        (0.0, [GREEN, GREEN, RED]),
        (9.9, [GREEN, GREEN, RED]),
        (10.0, [YELLOW, YELLOW, RED]),
        (12.9, [YELLOW, YELLOW, RED]),
        (13.0, [RED, RED, RED]),
        (14.9, [RED, RED, RED]),
        (15.0, [RED, RED, GREEN]),
        (25.0, [RED, RED, YELLOW]),
        (28.0, [RED, RED, RED]),
        (30.0, [GREEN, GREEN, RED]),
        (300.0, [GREEN, GREEN, RED]),
    ],
)
def test_the_cycle_over_time(lights: TrafficLights, seconds: float, states: list[int]) -> None:
    _run(lights, seconds)
    assert lights.state[:3].tolist() == states


@pytest.mark.parametrize("dt_s", [0.01, 0.05, 0.1, 0.2])
def test_the_cycle_does_not_depend_on_the_tick_length(lights: TrafficLights, dt_s: float) -> None:
    for _ in range(round(15.0 / dt_s)):
        lights.step(dt_s)
    assert lights.state.tolist() == [RED, RED, GREEN, GREEN]


def test_lights_of_a_junction_are_a_group(lights: TrafficLights) -> None:
    assert [lights.group(k) for k in range(4)] == [[0, 1, 2], [0, 1, 2], [0, 1, 2], [3]]


def test_elapsed_time_starts_at_each_switch(lights: TrafficLights) -> None:
    _run(lights, 11.0)
    assert lights.elapsed_s.tolist() == pytest.approx([1.0, 1.0, 11.0, 1.0])


def test_a_set_state_lasts_until_the_controller_switches(lights: TrafficLights) -> None:
    lights.set_state(2, GREEN)
    _run(lights, 9.9)
    assert lights.state[:3].tolist() == [GREEN, GREEN, GREEN]
    _run(lights, 5.2)
    assert lights.state[:3].tolist() == [RED, RED, GREEN]
    _run(lights, 10.0)
    assert lights.state[2] == YELLOW


def test_frozen_lights_stand_still_and_go_on_where_they_stood(lights: TrafficLights) -> None:
    _run(lights, 9.0)
    lights.freeze(1, True)
    _run(lights, 30.0)
    assert lights.state[:3].tolist() == [GREEN, GREEN, RED]
    assert lights.frozen.tolist() == [True, True, True, False]
    assert lights.elapsed_s[0] == pytest.approx(9.0)
    assert lights.state[3] == YELLOW if 39.0 % 15.0 >= 10.0 else GREEN
    lights.freeze(0, False)
    _run(lights, 1.0)
    assert lights.state[0] == YELLOW


def test_freezing_all_and_freeing_all(lights: TrafficLights) -> None:
    lights.freeze_all(True)
    _run(lights, 30.0)
    assert lights.state.tolist() == [GREEN, GREEN, RED, GREEN]
    lights.freeze_all(False)
    assert not lights.frozen.any()


def test_times_belong_to_the_controller(lights: TrafficLights) -> None:
    lights.set_time(0, GREEN, 1.0)
    assert lights.times_s[:3].tolist() == [[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [10.0, 3.0, 2.0]]
    _run(lights, 1.0)
    assert lights.state[:2].tolist() == [YELLOW, YELLOW]


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_times_of_zero_neither_hang_nor_skip_the_others(lights: TrafficLights, seconds: float) -> None:
    for light in (0, 2, 3):
        for state in (GREEN, YELLOW, RED):
            lights.set_time(light, state, seconds)
    _run(lights, 10.0)
    assert (lights.times_s == 0.0).all()
    assert set(lights.state.tolist()) <= {RED, YELLOW, GREEN}


def test_reset_begins_the_cycle_anew(lights: TrafficLights) -> None:
    _run(lights, 20.0)
    lights.reset_group(3)
    assert lights.state.tolist() == [RED, RED, GREEN, GREEN]
    lights.reset_all()
    assert lights.state.tolist() == [GREEN, GREEN, RED, GREEN]
    assert lights.elapsed_s.tolist() == [0.0] * 4


def test_a_town_without_lights() -> None:
    lights = TrafficLights([], [])
    lights.step(1.0)
    lights.freeze_all(True)
    assert len(lights.state) == 0


# --- controllers -----------------------------------------------------------------------------------------------------


def test_controllers_are_read_with_their_junction_and_order() -> None:
    text = """<OpenDRIVE>
      <controller id="10" name="one"><control signalId="1" type=""/><control signalId="2"/></controller>
      <controller id="11"><control signalId="3"/><control signalId="3"/></controller>
      <controller id="12"/>
      <junction id="5"><connection id="0"/>
        <controller id="11" sequence="0"/><controller id="10" sequence="1"/></junction>
    </OpenDRIVE>"""
    assert read_controllers(text) == [
        Controller(controller_id="10", signal_ids=("1", "2"), junction_id="5", sequence=1),
        Controller(controller_id="11", signal_ids=("3",), junction_id="5", sequence=0),
        Controller(controller_id="12", signal_ids=(), junction_id="", sequence=0),
    ]


def test_a_text_without_controllers_has_none() -> None:
    assert read_controllers("<OpenDRIVE><road id='1'/></OpenDRIVE>") == []
    with pytest.raises(ExpatError):
        read_controllers("<OpenDRIVE>")


def test_signals_that_no_controller_lists_take_their_turn_at_their_junction() -> None:
    lights = TrafficLights([_signal("a"), _signal("b")], [_controller("1", "a", "gone")])
    assert lights.group(0) == [0, 1]
    assert lights.state.tolist() == [GREEN, RED]
    _run(lights, 15.0)
    assert lights.state.tolist() == [RED, GREEN]
