"""Files of Leaderboard 1.0 from disk to the figures of carla_garage's parser, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

from harness.results.read import read_results
from harness.stages.garage import GarageReport, garage_data, garage_lines, garage_report
from tests.unit.results.drawn import checkpoint, record, write
from tests.unit.results.leaderboard_10 import garage_file, garage_record

# Of Longest6, route 0 is MidRainDawn in Town01, 3 HardRainNoon in Town01, 6 WetNoon and 9 WetCloudyNoon in Town02.
BLOCKED = garage_record(
    0, 25.0, 0.6, status="Failed - Agent got blocked", length_m=2000.0, collisions_vehicle=1, vehicle_blocked=1
)
ASTRAY = garage_record(3, 100.0, 0.7 * 0.9, outside=(100.0, 10.0), red_light=1)
FREE_STOPS = garage_record(6, 100.0, 1.0, length_m=750.0, stop_infraction=2)
LATE = garage_record(
    9, 80.0, 0.65, status="Failed - Agent timed out", length_m=937.5, collisions_layout=1, route_timeout=1
)
TEXT = """\
Leaderboard 1.0, as carla_garage's parser has it: 4 records in 3 files
  DS 51.00, RC 66.25, IS 0.639, 7.5 km/h
  over the records instead of what the files state: DS 57.50, RC 76.25, IS 0.720
  per km over 3.00 km: collisions_vehicle 0.333, collisions_layout 0.333, red_light 0.333, stop_infraction 0.667, \
route_timeout 0.333, vehicle_blocked 0.333
  off the route's lanes, of the kilometres driven: 3.33 %
  3 of 4 penalties follow from their events by Leaderboard 1.0, 4 if stop signs cost nothing, as carla_garage drives \
Longest6
  DS by town: Town01 39.00 (2), Town02 76.00 (2)
  DS by weather: HardRain 63.00 (1), MidRain 15.00 (1), Wet 100.00 (1), WetCloudy 52.00 (1)
  DS by daytime: Dawn 15.00 (1), Noon 71.67 (3)
  DS by status: Completed 81.50 (2), Failed - Agent got blocked 15.00 (1), Failed - Agent timed out 52.00 (1)
  cut.json: states Avg. driving score 26.000, its records give 52.000
  cut.json: states Avg. route completion 40.000, its records give 80.000
  cut.json: states Avg. infraction penalty 0.325, its records give 0.650
"""


def draw(folder: Path) -> None:
    write(folder / "a.json", garage_file([BLOCKED, ASTRAY]))
    write(folder / "b.json", garage_file([FREE_STOPS]))
    write(folder / "cut.json", garage_file([LATE], planned=2))


def report_on(folder: Path, suite: str = "longest6") -> GarageReport | None:
    return garage_report(read_results([folder], benchmark=suite), suite)


def text_of(report: GarageReport | None, folder: Path) -> str:
    assert report is not None
    return "".join(f"{line}\n" for line in garage_lines(report)).replace(f"{folder}/", "")


def test_lines_and_data_by_hand(tmp_path: Path) -> None:
    draw(tmp_path)
    report = report_on(tmp_path)
    assert text_of(report, tmp_path) == TEXT
    assert report is not None
    data = json.loads(json.dumps(garage_data(report), allow_nan=False))
    assert (data["records"], data["other_records"], len(data["disagreements"])) == (4, 0, 3)
    assert data["figures"]["Avg. driving score"] == 51.0
    assert data["figures"]["Off-road infractions"] == 100.0 * 0.1 / 3.0
    assert data["tables"]["town"][0]["figures"]["DS"] == {"mean": 39.0, "deviation": 24.0}
    assert [row["name"] for row in data["tables"]["route"]] == [f"RouteScenario_{k}" for k in (0, 3, 6, 9)]


def test_records_of_other_boards_and_of_other_routes_are_left_out(tmp_path: Path) -> None:
    draw(tmp_path)
    write(tmp_path / "new.json", checkpoint([record(12)]))
    write(tmp_path / "far.json", garage_file([garage_record(99, 50.0, 1.0)]))
    text = text_of(report_on(tmp_path), tmp_path)
    first, *rest = TEXT.splitlines(keepends=True)
    assert text == "".join([first, "  1 records of other leaderboards are in none of these figures\n", *rest])


def test_a_file_of_which_a_part_counts_is_not_taken_by_its_word(tmp_path: Path) -> None:
    write(tmp_path / "a.json", garage_file([FREE_STOPS, garage_record(99, 50.0, 1.0)]))
    text = text_of(report_on(tmp_path), tmp_path)
    assert "  DS 100.00, RC 100.00, IS 1.000, 7.5 km/h\n" in text
    assert text.endswith("  no means of its own, so those of the records stand: a.json\n")


def test_there_is_nothing_to_say_without_a_record_of_leaderboard_1(tmp_path: Path) -> None:
    write(tmp_path / "new.json", checkpoint([record(12)]))
    assert report_on(tmp_path) is None


def test_suites_without_named_weathers_have_no_table_of_them(tmp_path: Path) -> None:
    write(tmp_path / "a.json", garage_file([garage_record(1, 100.0, 1.0, status="Failed - Agent crashed")]))
    report = report_on(tmp_path, "mini")
    assert report is not None
    assert list(report.tables) == ["route", "town", "status"]
    assert "weather" not in text_of(report, tmp_path)
