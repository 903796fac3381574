"""carla_garage's parser: rates from the records, means as the files state them, tables, stop signs without cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics.garage_parser import (
    LONGEST6_WEATHERS,
    RATES,
    TOLERANCES,
    GarageFile,
    Place,
    penalty_fits,
    summarize,
    tables,
)
from harness.routes import read_routes
from tests.unit.metrics.scored_routes import few_examples, route

NINE: dict[str, tuple[str, ...]] = {kind.value: () for _, kind in RATES}
RED, STOP = "Agent ran a red light 9 at (x=1.0, y=2.0, z=0.0)", "Agent ran a stop with id=3 at (x=1.0, y=2.0, z=0.0)"
LANE = "Agent went outside its route lanes for about 30.5 meters (5.0% of the completed route)"


def file_of(name: str, *routes: ScoredRoute, stated: tuple[float, float, float] | None = None) -> GarageFile:
    """Return a file; what it states is driving score, route completion and penalty."""
    return GarageFile(
        name=name, stated={} if stated is None else dict(zip(TOLERANCES, stated, strict=True)), routes=routes
    )


def drawn() -> list[GarageFile]:
    """Two files, 1.5 km in 0.15 h: one finished kilometre, one half of a kilometre, one that never started."""
    finished = route(
        "0", messages={**NINE, "red_light": (RED, RED), "outside_route_lanes": (LANE,)}, duration_sim_s=270
    )
    half = route(
        "1", completion_percent=50.0, penalty=0.8, messages={**NINE, "stop_infraction": (STOP,)}, duration_sim_s=270
    )
    never = route("2", completion_percent=0.0, status="Failed - Agent timed out", messages=NINE, duration_sim_s=0)
    # 1.0 of 1 record and the means of 2: (100, 100, 1) and (40 + 0, 50 + 0, 0.8 + 1) / 2.
    return [file_of("a", finished, stated=(100.0, 100.0, 1.0)), file_of("b", half, never, stated=(20.0, 25.0, 0.9))]


def test_the_head_of_the_table_by_hand() -> None:
    ours = summarize(drawn())
    assert (ours.routes, ours.kilometres, ours.hours) == (3, 1.5, pytest.approx(0.15))
    assert dict(ours.rows()) == pytest.approx(
        {
            "Avg. driving score": (100 + 40 + 0) / 3,
            "Avg. route completion": (100 + 50 + 0) / 3,
            "Avg. infraction penalty": (1 + 0.8 + 1) / 3,
            "Collisions with pedestrians": 0.0,
            "Collisions with vehicles": 0.0,
            "Collisions with layout": 0.0,
            "Red lights infractions": 2 / 1.5,
            "Stop sign infractions": 1 / 1.5,
            "Off-road infractions": 100 * 0.0305 / 1.5,
            "Route deviations": 0.0,
            "Route timeouts": 0.0,
            "Agent blocked": 0.0,
            "Avg. speed km/h": 1.5 / 0.15,
        }
    )
    assert not ours.disagreements and not ours.silent


def test_means_are_recombined_by_the_number_of_records_and_disagreements_named() -> None:
    first, second = drawn()
    # A file of three planned routes with two records divides by three.
    cut = file_of("b", *second.routes, stated=(13.333, 16.667, 0.6))
    ours = summarize([first, cut])
    assert ours.recombined == pytest.approx(
        {
            "Avg. driving score": (100 + 2 * 13.333) / 3,
            "Avg. route completion": (100 + 2 * 16.667) / 3,
            "Avg. infraction penalty": (1 + 2 * 0.6) / 3,
        }
    )
    assert ours.means["Avg. driving score"] == pytest.approx(140 / 3)
    assert [str(each) for each in ours.disagreements] == [
        "b: states Avg. driving score 13.333, its records give 20.000",
        "b: states Avg. route completion 16.667, its records give 25.000",
        "b: states Avg. infraction penalty 0.600, its records give 0.900",
    ]


@pytest.mark.parametrize(("off", "named"), [(0.0099, 0), (0.0101, 1)])
def test_rounding_is_no_disagreement(off: float, named: int) -> None:
    first, second = drawn()
    shifted = file_of("a", *first.routes, stated=(100.0 - off, 100.0, 0.9995))
    assert len(summarize([shifted, second]).disagreements) == named


def test_a_file_that_states_nothing_leaves_the_means_of_the_records() -> None:
    first, second = drawn()
    ours = summarize([first, file_of("b", *second.routes)])
    assert (ours.recombined, ours.silent) == (None, ("b",))
    assert ours.rows()[0] == ("Avg. driving score", pytest.approx(140 / 3))


def test_nothing_driven_has_no_rates_and_no_speed() -> None:
    ours = summarize([file_of("a", route(completion_percent=0.0, messages=NINE, duration_sim_s=0.0))])
    assert set(ours.rates.values()) == {None}
    assert ours.average_speed_kmph is None
    with pytest.raises(HarnessError, match="found no record to summarise"):
        summarize([])


def test_an_off_lane_sentence_without_metres_is_named() -> None:
    odd = route("7", messages={**NINE, "outside_route_lanes": ("Agent left its lane",)})
    with pytest.raises(HarnessError, match="record RouteScenario_7_rep0: found 'Agent left its lane'"):
        summarize([file_of("a", odd)])


def test_tables_group_by_town_weather_daytime_and_status() -> None:
    places = {
        "0": Place(town="Town01", weather="Wet", daytime="Noon"),
        "1": Place(town="Town01", weather="Cloudy", daytime="Noon"),
        "2": Place(town="Town02", weather="Wet", daytime="Dawn"),
    }
    found = tables([each for file in drawn() for each in file.routes], places)
    assert list(found) == ["route", "town", "weather", "daytime", "status"]
    assert [(row.name, row.town, row.routes) for row in found["town"]] == [
        ("Town01", "Town01", 2),
        ("Town02", "Town02", 1),
    ]
    assert [(row.name, row.town, row.routes) for row in found["weather"]] == [("Cloudy", "Town01", 1), ("Wet", "", 2)]
    assert [row.name for row in found["daytime"]] == ["Dawn", "Noon"]
    assert [row.name for row in found["status"]] == ["Completed", "Failed - Agent timed out"]
    first = found["town"][0].figures
    assert (first["DS"].mean, first["DS"].deviation) == (70.0, 30.0)
    assert (first["RC"].mean, first["duration"].mean, first["length"].mean) == (75.0, 270.0, 1000.0)
    # Counts, also of leaving the lanes: one entry in one of two records.
    assert (first["red_light"].mean, first["outside_route_lanes"].mean) == (1.0, 0.5)


def test_tables_of_what_nobody_says_are_absent() -> None:
    found = tables([route("0", messages=NINE)], {"0": Place(town="Town01")})
    assert list(found) == ["route", "town", "status"]
    with pytest.raises(HarnessError, match="found no town for id '0'"):
        tables([route("0", messages=NINE)], {})


def test_stop_signs_that_cost_nothing_are_recognised() -> None:
    free = route(messages={**NINE, "stop_infraction": (STOP,), "red_light": (RED,)}, penalty=0.7)
    usual = route(messages={**NINE, "stop_infraction": (STOP,), "red_light": (RED,)}, penalty=0.7 * 0.8)
    odd = route(messages={**NINE, "red_light": ("what?",)}, penalty=1.0)
    fits = penalty_fits([free, free, usual, odd])
    assert (fits.records, fits.with_stops, fits.without_stops) == (4, 1, 2)


def test_weathers_of_longest6_are_those_of_the_published_routes(harness_data: Path) -> None:
    weathers = {
        (80, 0, 0): "Cloudy",
        (20, 0, 50): "Wet",
        (90, 0, 50): "WetCloudy",
        (90, 15, 50): "SoftRain",
        (80, 30, 50): "MidRain",
        (90, 60, 100): "HardRain",
    }
    daytimes = {-80: "Night", 0: "Twilight", 5: "Dawn", 15: "Sunset", 35: "Morning", 75: "Noon"}
    found = {}
    for file in sorted((harness_data / "routes" / "longest6").glob("*.xml")):
        (each,) = read_routes(file)
        values = each.weathers[0].values
        clouds = (values["cloudiness"], values["precipitation"], values["precipitation_deposits"])
        found[each.route_id] = (weathers[clouds], daytimes[values["sun_altitude_angle"]])
    assert found == LONGEST6_WEATHERS
    assert len(set(found.values())) == 36


_ROUTES = st.builds(
    lambda xml_id, completion, reds, metres, seconds: route(
        str(xml_id),
        completion_percent=completion,
        messages={**NINE, "red_light": (RED,) * reds, "outside_route_lanes": (LANE,) if metres else ()},
        duration_sim_s=seconds,
    ),
    st.integers(0, 35),
    st.floats(0.0, 100.0),
    st.integers(0, 3),
    st.booleans(),
    st.floats(0.0, 900.0),
)


@few_examples
@given(st.lists(_ROUTES, min_size=1, max_size=8), st.randoms())
def test_order_and_files_change_nothing(routes: list[ScoredRoute], random: object) -> None:
    one = summarize([_whole("all", routes)])
    mixed = list(routes)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    cut = len(mixed) // 2
    other = summarize([_whole(str(place), part) for place, part in enumerate((mixed[:cut], mixed[cut:])) if part])
    assert not one.disagreements and not other.disagreements
    for (label, a), (same, b) in zip(one.rows(), other.rows(), strict=True):
        assert label == same
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9) if a is not None else b is None


def _whole(name: str, routes: list[ScoredRoute]) -> GarageFile:
    means = [
        sum(values) / len(routes)
        for values in zip(*((r.driving_score, r.completion_percent, r.penalty) for r in routes), strict=True)
    ]
    return file_of(name, *routes, stated=(means[0], means[1], means[2]))
