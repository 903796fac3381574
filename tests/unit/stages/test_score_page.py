"""The HTML page of scores: what it says, what it must not say, and that no name in a file becomes markup."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import __version__
from harness.config import SUITES_DIR
from harness.datatypes.infraction import InfractionKind
from harness.datatypes.scored_route import ScoredRoute
from harness.results.result_set import FileKind, ReadRecord, ResultFile
from harness.route_facts import read_route_facts
from harness.stages.score import ScoreReport, ScoreRequest, score
from harness.stages.score_compare import compare
from harness.stages.score_page import page as page_module
from harness.stages.score_page.checks import common_folder
from harness.stages.score_page.infraction_events import PlacedEvent, collect_events
from harness.stages.score_page.infraction_map import frame_of, round_length, town_map
from harness.stages.score_page.page import page
from tests.unit.results.drawn import checkpoint, record, write

ROUTES = range(1, 17)
RED_LIGHT = {"red_light": ["Agent ran a red light 7 at (x=1.0, y=2.0, z=0.0)"]}
HOSTILE = "</td></script><script>boom()</script><img src=x onerror=boom()> \"'&"


def scored(folder: Path, records: list[dict[str, Any]], seed: int = 1) -> ScoreReport:
    """Score drives of the suite mini, of which every one should have a record."""
    write(folder / f"mini_seed{seed}" / "results.json", checkpoint(records))
    return score(ScoreRequest(paths=(folder,), bench="mini"))


def drive(xml_id: int, driving_score: float = 50.0, **changes: Any) -> dict[str, Any]:
    """Draw a drive over a red light, which costs 0.7."""
    completion = round(driving_score / 0.7, 2)
    scores = {"score_route": completion, "score_penalty": 0.7, "score_composed": driving_score}
    return record(xml_id, scores=scores, **changes)


class Parsed(HTMLParser):
    """What a browser would make of a page: elements with attributes, texts, the content of scripts."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._open = ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open != "style":
            (self.scripts if self._open == "script" else self.texts).append(data)


# --- what the page says ----------------------------------------------------------------------------------------------


def test_a_complete_set_has_its_scores_with_divisors(tmp_path: Path) -> None:
    for seed, driving_score in ((1, 70.0), (2, 63.0)):
        report = scored(tmp_path, [drive(xml_id, driving_score) for xml_id in ROUTES], seed)
    words = " ".join(" ".join(Parsed(page({"A": report})).texts).split())
    assert "A 66.50 driving score 0.00 % success rate" in words
    assert "Official 66.50 0.00 - 32 Found only 66.50 0.00 95.00 32" in words
    assert f"Seed spread {math.sqrt(24.5):.2f} (sample formula, n = 2)" in words
    assert "32 expected 32 found 0 missing 0 crashed" in words
    assert f"Scored by carla-harness {__version__}" in words
    assert "perfect: driving score 100 and penalty 1" in words


def table(content: str, identity: str) -> list[list[str]]:
    """Return the cells of a table, row by row."""
    body = content.split(f'id="{identity}"')[1].split("<tbody>")[1].split("</tbody>")[0]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", body)]


def test_an_incomplete_set_has_no_mean_unless_asked_for(tmp_path: Path) -> None:
    # Seed 1 has all drives, each 70 points; seed 2 lacks one, each 64.75 points.
    scored(tmp_path, [drive(xml_id, 70.0) for xml_id in ROUTES], seed=1)
    report = scored(tmp_path, [drive(xml_id, 64.75) for xml_id in ROUTES if xml_id != 5], seed=2)
    assert not report.is_complete
    silent, asked = (page({"A": report}, allow_partial=partial) for partial in (False, True))
    words, asked_words = (" ".join(" ".join(Parsed(content).texts).split()) for content in (silent, asked))
    # (16 * 70 + 15 * 64.75) / 32 and / 31
    assert "Official 65.35 0.00 - 32 Found only 67.46 0.00 96.37 31" in asked_words
    assert "No score of an incomplete set; --allow-partial" in words
    interval = (f"{report.interval.low:.2f}", f"{report.interval.high:.2f}")
    assert not [shown for shown in ("65.35", "67.46", *interval, "success rate") if shown in words]
    assert table(asked, "seeds") == [["1", "70.00", "0.00", "16", "0"], ["2", "60.70", "0.00", "15", "1"]]
    assert table(silent, "seeds") == [["1", "-", "-", "16", "0"], ["2", "-", "-", "15", "1"]]
    # 31 red lights on 31 routes of 120.5 m
    rows = [row for content in (asked, silent) for row in table(content, "infractions") if "Red light" in row[0]]
    assert [row[1:] for row in rows] == [["31", "31", "8.611"], ["31", "31", "-"]]
    for each in (words, asked_words):
        assert "32 expected 31 found 1 missing 0 crashed" in each


def test_splits_of_fail2drive_need_all_drives_too(tmp_path: Path) -> None:
    write(tmp_path / "fail2drive_seed1" / "results.json", checkpoint([drive(0, 70.0), drive(1000, 35.0)]))
    report = score(ScoreRequest(paths=(tmp_path,), bench="fail2drive"))
    assert "harmonic" not in page({"A": report})
    asked = page({"A": report}, allow_partial=True)
    assert table(asked, "splits")[1] == ["Generalization", "35.0", "0.0", "0.0", "50.0", "1", "100"]
    (row,) = table(asked, "scenario")
    assert row == ["BadParking", "70.0", "0.0", "0.0", "35.0", "0.0", "0.0", "-50.0", "-", "-"]
    assert [row[1] for row in table(asked, "changes")] == ["-50.0", "-50.0"]
    assert [row[0] for row in table(asked, "class")] == ["Visual-lat"]


def test_an_agent_without_all_drives_is_silent_beside_one_that_has_them(tmp_path: Path) -> None:
    whole = scored(tmp_path / "a", [drive(xml_id, 70.0) for xml_id in ROUTES])
    partial = scored(tmp_path / "b", [drive(xml_id, 64.75) for xml_id in ROUTES if xml_id != 5])
    content = page({"A": whole, "B": partial})
    cells = {row[0]: row[1:] for row in table(content, "agents")}
    assert cells["A"][0] == "70.00"
    assert cells["B"] == ["-"] * 7 + ["1", "16", "15", "1", "0", "0"]
    assert "60.70" not in content


def test_missing_drives_and_penalties_that_do_not_fit_are_named(tmp_path: Path) -> None:
    # One red light costs a factor of 0.7; one drive states another.
    other = {"scores": {"score_route": 100.0, "score_penalty": 0.125, "score_composed": 12.5}}
    drives = [drive(xml_id) for xml_id in ROUTES if xml_id not in (5, 9)]
    report = scored(tmp_path, [*drives, record(9, **other)])
    content = page({"A": report})
    assert re.search(r'id="missing".*<th scope="row">05</th><td>Borough01</td>', content, re.DOTALL)
    row = '<th scope="row">09</th><td class="n">1</td><td class="n">0.125000</td><td class="n">0.700000</td>'
    assert content.split('id="audit"')[1].split("</table>")[0].count("<tr>") == 2
    assert row in content
    assert "14 of 15 penalties follow from their events" in content


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    report = scored(tmp_path, [drive(xml_id) for xml_id in ROUTES])
    again = score(ScoreRequest(paths=(tmp_path,), bench="mini"))
    first = page({"A": report})
    assert page({"A": again}) == first


_PRINT_SUM = """
import hashlib, sys
from tests.unit.stages.test_score_page import *
report = score(ScoreRequest(paths=(Path(sys.argv[1]),), bench="mini"))
content = page({"A": report, "B": report})
print(hashlib.sha256(content.encode()).hexdigest())
"""


def test_another_process_gives_the_same_bytes(tmp_path: Path, repository: Path) -> None:
    # One event in each of three towns, so that only their names can put them in order.
    scored(tmp_path, [drive(xml_id, infractions={} if xml_id not in (1, 9, 13) else RED_LIGHT) for xml_id in ROUTES])
    answers = [
        subprocess.run(
            [sys.executable, "-c", _PRINT_SUM, str(tmp_path)],
            cwd=repository,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert len(answers[0]) == 65 and len(set(answers)) == 1


# --- markup ----------------------------------------------------------------------------------------------------------


def test_no_text_of_a_file_becomes_markup(tmp_path: Path) -> None:
    sentence = f"Agent collided against object with type={HOSTILE.replace(' ', '')} and id=3 at (x=1.0, y=2.0, z=0.0)"
    infractions = {"collisions_layout": [sentence], "red_light": [HOSTILE]}
    hostile = [drive(xml_id, status=f"Failed - {HOSTILE}", infractions=infractions) for xml_id in ROUTES]
    write(tmp_path / "<script>boom()<img onerror=boom()>.json", "{")
    report = scored(tmp_path, [*hostile, drive(99, route_id="RouteScenario_<script>_rep0")])
    named = {key: replace(value, town=HOSTILE, scenario=HOSTILE) for key, value in report.facts.items()}
    scenarios = {f"{HOSTILE}{name}": scores for name, scores in report.scenarios.items()}
    report = replace(report, facts=named, scenarios=scenarios)
    reports = {HOSTILE: report, "B": report}
    parsed = Parsed(page(reports, compare(reports, HOSTILE, "B"), allow_partial=True))
    plain = scored(tmp_path / "plain", [drive(xml_id) for xml_id in ROUTES if xml_id != 5])
    harmless = Parsed(page({"A": plain, "B": plain}, allow_partial=True))
    assert {tag for tag, _ in parsed.elements} <= {tag for tag, _ in harmless.elements}
    names = {name for _, attributes in parsed.elements for name in attributes}
    assert names <= {name for _, attributes in harmless.elements for name in attributes}
    assert [text.strip() for text in parsed.scripts] == [page_module._asset("page.js").strip()]
    texts = "".join(parsed.texts)
    assert texts.count(HOSTILE) > len(ROUTES), "the texts themselves are shown as they are"


def test_the_policy_allows_this_style_and_this_script_alone(tmp_path: Path) -> None:
    content = page({"A": scored(tmp_path, [drive(xml_id) for xml_id in ROUTES])})
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', content)
    sums = [page_module._sum(page_module._asset(name)) for name in ("page.css", "page.js")]
    assert policy == f"default-src 'none'; style-src '{sums[0]}'; script-src '{sums[1]}'"
    assert "://" not in content


def test_tables_are_tables(tmp_path: Path) -> None:
    content = page({"A": scored(tmp_path, [drive(xml_id) for xml_id in ROUTES])})
    identities = re.findall(r' id="([^"]*)"', content)
    assert len(identities) == len(set(identities))
    for body in re.findall(r"<table.*?</table>", content, re.DOTALL):
        assert len(re.findall(r"<th\b", body)) == len(re.findall(r'<th scope="(?:col|row|colgroup)"', body)) > 0
        widths = {row.count("<td") + row.count("<th") for row in re.findall(r"<tr>.*?</tr>", body)}
        assert len(widths) == 1


# --- events and maps -------------------------------------------------------------------------------------------------


def read(messages: Mapping[str, tuple[str, ...]]) -> ReadRecord:
    route = ScoredRoute(
        route_id="RouteScenario_1_rep0",
        xml_id="1",
        repetition=0,
        status="Completed",
        completion_percent=100.0,
        penalty=1.0,
        driving_score=100.0,
        messages=messages,
        length_m=100.0,
        duration_sim_s=1.0,
        duration_wall_s=1.0,
    )
    return ReadRecord(route=route, file=_file("a.json"), position=0)


def _file(name: str) -> ResultFile:
    return ResultFile(name=name, path=Path(name), kind=FileKind.CHECKPOINT, stated={})


def test_events_without_a_place_are_counted() -> None:
    messages = {
        "red_light": ("Agent ran a red light 7 at (x=-1.5, y=2.25, z=0.0)", "Agent ran a red light, it seems"),
        "scenario_timeouts": ("Agent timed out a scenario", "Agent timed out a scenario at (x=3.0, y=4.0, z=0.0)"),
        "route_dev": ("Agent deviated from the route at (x=1e300, y=4.0, z=0.0)",),
        "min_speed_infractions": ("whatever",) * 3,
        "route_timeout": ("Route timeout.",),
        "of_the_future": ("Agent sneezed",),
        "stop_infraction": (),
    }
    report_facts = read_route_facts("mini", SUITES_DIR)
    events = collect_events(4, (read(messages),), report_facts)
    assert [(event.agent, event.town, event.kind.value, event.x_m, event.y_m) for event in events.placed] == [
        (4, "Borough01", "red_light", -1.5, 2.25),
        (4, "Borough01", "scenario_timeouts", 3.0, 4.0),
    ]
    assert dict(events.unplaced) == {
        InfractionKind.SCENARIO_TIMEOUT: 1,
        InfractionKind.ROUTE_DEVIATION: 1,
        InfractionKind.MIN_SPEED: 3,
        InfractionKind.ROUTE_TIMEOUT: 1,
    }
    assert events.unreadable == 2
    assert events.entries[InfractionKind.RED_LIGHT] == 2 and events.drives[InfractionKind.RED_LIGHT] == 1
    assert InfractionKind.STOP not in {kind for kind, count in events.drives.items() if count}


PLACES = st.lists(st.tuples(*[st.floats(-1e5, 1e5)] * 2), min_size=1, max_size=8)


def placed(x_m: float, y_m: float) -> PlacedEvent:
    return PlacedEvent(
        agent=0, record=read({}), town="T", kind=InfractionKind.STOP, x_m=x_m, y_m=y_m, other_type="vehicle.<b>"
    )


@given(PLACES, st.sampled_from([(1000.0, 0.45, 0.75), (420.0, 0.75, 0.75)]))
def test_every_place_is_on_the_map_at_one_scale(places: list[tuple[float, float]], shape: tuple[float, ...]) -> None:
    width_px, flattest, steepest = shape
    frame = frame_of([placed(*place) for place in places], width_px, flattest, steepest)
    pixels = [frame.to_px(*place) for place in places]
    assert frame.width_m * frame.px_per_m == pytest.approx(width_px)
    assert flattest <= frame.height_px / width_px * (1 + 1e-9) <= steepest * (1 + 2e-9)
    for (x_m, y_m), (x, y) in zip(places, pixels, strict=True):
        assert 0.0 <= x <= width_px and 0.0 <= y <= frame.height_px
        # Right is more x and down is more y, by as many pixels per metre.
        assert x - pixels[0][0] == pytest.approx((x_m - places[0][0]) * frame.px_per_m, abs=1e-6)
        assert y - pixels[0][1] == pytest.approx((y_m - places[0][1]) * frame.px_per_m, abs=1e-6)


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    frame = frame_of([placed(0.0, 0.0), placed(900.0, 100.0)], 1000.0)
    drawing = town_map("T", [placed(0.0, 0.0), placed(900.0, 100.0)], lambda event: event.other_type, frame)
    bar = re.search(r'class="scale"><path d="M[\d.]+ [\d.]+v6h([\d.]+)v-6"/><text [^>]*>(\d+) m</text>', drawing)
    assert bar is not None
    assert float(bar[1]) == pytest.approx(float(bar[2]) * frame.px_per_m, abs=0.06)
    assert drawing.count("<use ") == 2 and drawing.count("<title>vehicle.&lt;b&gt;</title>") == 2


@given(st.floats(1e-3, 1e6))
def test_round_lengths_are_1_2_or_5(at_most: float) -> None:
    length = round_length(at_most)
    assert at_most / 2.5 * (1 - 1e-9) <= length <= at_most * (1 + 1e-9)
    assert f"{length:e}"[0] in "125" and float(f"{length:.0e}") == pytest.approx(length)


@given(st.lists(st.text("ab/:.", min_size=1, max_size=6), max_size=4))
def test_the_common_folder_is_whole_folders_of_every_name(names: list[str]) -> None:
    folder = common_folder([_file(name) for name in names])
    assert all(name.startswith(folder) and len(name) >= len(folder) for name in names)
    assert not folder or folder.endswith("/")
    if names and all("/" in name for name in names) and len(set(names)) == 1:
        assert folder == names[0][: names[0].rindex("/") + 1]
