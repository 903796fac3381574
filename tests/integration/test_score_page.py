"""The page of scores in a real browser: tables sort, marks lie where they should, nothing complains, at any width."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.stages.score import ScoreReport, ScoreRequest, score
from harness.stages.score_page.page import page
from tests.browser import NOT_INSTALLED, Browser, Tab
from tests.unit.results.drawn import checkpoint, record, write

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Browser.is_installed(), reason=NOT_INSTALLED),
]

HOSTILE = "</td></script><script>window.boom = 1</script><img src=x onerror=window.boom=1> \"'&" + "x" * 90
SEEDS = (1, 2, 3)
GIVEN_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
# Relative luminance and contrast as WCAG 2 defines them, of what an element and the page around it look like.
CONTRAST = """
(() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      if (!/^rgba\\(.*, 0\\)$/.test(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const seen = {};
  for (const each of document.querySelectorAll("h1, h2, p, b, dt, dd, li, td, th, summary, button:enabled, .count")) {
    const pair = [getComputedStyle(each).color, behind(each)];
    const [low, high] = pair.map(light).sort((a, b) => a - b);
    seen[pair.join(" on ")] = (high + 0.05) / (low + 0.05);
  }
  return seen;
})()
"""


def drawn_report(folder: Path, name: str, *, missing: tuple[int, ...] = (), status: str = "Completed") -> ScoreReport:
    """Draw drives of the suite mini with infractions here and there; the same each time."""
    rng = random.Random(name)
    for seed in SEEDS:
        records = [_drive(rng, xml_id, status) for xml_id in range(1, 17) if xml_id not in missing]
        write(folder / name / f"mini_seed{seed}" / "results.json", checkpoint(records))
    return score(ScoreRequest(paths=(folder / name,), bench="mini"))


def _drive(rng: random.Random, xml_id: int, status: str) -> dict[str, Any]:
    place = f"(x={rng.uniform(-200, 700):.1f}, y={rng.uniform(-100, 300):.1f}, z=0.0)"
    collision = f"Agent collided against object with type=vehicle.tesla and id=3 at {place}"
    kinds = {
        "collisions_vehicle": [collision] * rng.randrange(2),
        "red_light": [f"Agent ran a red light 7 at {place}"] * rng.randrange(2),
        "stop_infraction": [f"Agent ran a stop with id=3 at {place}"] * (xml_id == 16),
        "min_speed_infractions": ["Average speed is 50.0% of the surrounding traffic's one"],
    }
    penalty = 0.6 ** len(kinds["collisions_vehicle"]) * 0.7 ** len(kinds["red_light"])
    scores = {"score_route": 100.0, "score_penalty": penalty, "score_composed": 100.0 * penalty}
    return record(xml_id, infractions=kinds, scores=scores, status=status)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, ScoreReport]:
    folder = tmp_path_factory.mktemp("results")
    return {
        "Alpha": drawn_report(folder, "a"),
        "Beta": drawn_report(folder, "b", missing=(3, 7)),
        HOSTILE: _hostile(folder),
    }


def _hostile(folder: Path) -> ScoreReport:
    write(folder / "c" / "<img src=x onerror=window.boom=1>.json", "{")
    return drawn_report(folder, "c", status=f"Failed - {HOSTILE}")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, reports: Mapping[str, ScoreReport]) -> Path:
    path: Path = tmp_path_factory.mktemp("page") / "score page.html"
    path.write_text(page(reports, allow_partial=True), encoding="utf-8")
    return path


@pytest.fixture
def tab(browser: Browser, file: Path) -> Iterator[Tab]:
    """Open the page, and see to it that nothing complained and nothing was loaded, whatever a test did with it."""
    opened = browser.open(file)
    yield opened
    nothing_happened(opened, file)


def nothing_happened(tab: Tab, file: Path) -> None:
    assert tab.complaints == []
    assert tab.requests == [file.resolve().as_uri()]
    assert tab.value("window.boom") is None


# --- tables ----------------------------------------------------------------------------------------------------------


def cells(tab: Tab, table: str, column: int) -> list[str]:
    found: list[str] = tab.value(
        f"Array.from(document.querySelector({table!r}).tBodies[0].rows, (row) => row.cells[{column}].textContent)"
    )
    return found


def number_in(cell: str) -> float:
    found = re.match(r"[+-]?\d+(\.\d+)?", cell)
    assert found is not None, cell
    return float(found[0])


def test_every_column_of_every_table_sorts_both_ways(tab: Tab) -> None:
    tables = tab.value("Array.from(document.querySelectorAll('.box table'), (table, i) => (table.dataset.i = i))")
    sorted_numbers = 0
    for place in tables:
        table = f"table[data-i='{place}']"
        buttons = f'document.querySelectorAll("{table} th button")'
        rows = sorted(tab.value(f'Array.from(document.querySelector("{table}").tBodies[0].rows, (r) => r.textContent)'))
        for column in range(tab.value(f"{buttons}.length")):
            kind = tab.value(f"{buttons}[{column}].parentElement.dataset.kind")
            for _ in range(2):
                tab.value(f"{buttons}[{column}].click()")
                states = tab.value(f"Array.from({buttons}, (b) => b.parentElement.getAttribute('aria-sort'))")
                assert [state for i, state in enumerate(states) if i != column] == [None] * (len(states) - 1)
                shown = cells(tab, table, column)
                values = [cell for cell in shown if cell != "-"]
                assert shown == values + ["-"] * (len(shown) - len(values)), "what has no value comes last"
                if kind == "number":
                    keys = [number_in(cell) for cell in values]
                    assert keys == sorted(keys, reverse=states[column] == "descending")
                    sorted_numbers += len(set(keys)) > 2
                elif len(set(values)) > 1:
                    first, last = (values[0], values[-1]) if states[column] == "ascending" else (values[-1], values[0])
                    assert tab.value(f"{first!r}.localeCompare({last!r}, 'en', {{numeric: true}})") < 0
        assert rows == sorted(
            tab.value(f'Array.from(document.querySelector("{table}").tBodies[0].rows, (r) => r.textContent)')
        ), "rows are moved, none is lost"
    assert sorted_numbers > 10


def test_the_worst_route_is_one_click_away(tab: Tab, reports: Mapping[str, ScoreReport]) -> None:
    worst = min(each.route.driving_score for report in reports.values() for each in report.results.records)
    headings = tab.value("Array.from(document.querySelectorAll('#routes thead th'), (th) => th.textContent)")
    column = headings.index("DS")
    assert cells(tab, "#routes", column)[0] != f"{worst:.2f}"
    tab.value(f"document.querySelectorAll('#routes th button')[{column}].click()")
    assert cells(tab, "#routes", column)[0] == f"{worst:.2f}"
    column = headings.index("Infractions")
    tab.value(f"document.querySelectorAll('#routes th button')[{column}].click()")
    counts = [int(cell) for cell in cells(tab, "#routes", column)]
    assert counts == sorted(counts, reverse=True) and counts[0] > 1


def test_tables_sort_by_keyboard(tab: Tab) -> None:
    tab.value("document.querySelector('#routes').parentElement.focus()")
    tab.press("Tab")
    assert tab.value("document.activeElement.textContent") == "Route"
    assert tab.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    before = cells(tab, "#routes", 0)
    for key, direction in (("Enter", "ascending"), (" ", "descending")):
        tab.press(key)
        assert tab.value("document.activeElement.parentElement.getAttribute('aria-sort')") == direction
    assert cells(tab, "#routes", 0) == sorted(before, reverse=True)


def test_search_keeps_the_rows_that_contain_a_text(tab: Tab) -> None:
    field = "document.querySelector('input[type=search]')"
    tab.value(f"{field}.value = 'highland01'; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))")
    shown = tab.value("Array.from(document.querySelectorAll('#routes tbody tr:not([hidden])'), (r) => r.textContent)")
    routes, agents_of_each = 4, 3
    assert len(shown) == routes * agents_of_each * len(SEEDS)
    assert all("Highland01" in row for row in shown)
    assert tab.value("document.querySelector('.search output').value") == "36 of 138"


# --- maps ------------------------------------------------------------------------------------------------------------

MARKS = """
Array.from(document.querySelectorAll(".town use"), (use) => {
  const box = use.getBoundingClientRect(), map = use.closest("svg").getBoundingClientRect();
  const [x_m, y_m] = use.textContent.match(/x (-?[\\d.]+) m, y (-?[\\d.]+) m/).slice(1).map(Number);
  return {
    town: use.closest("figure").querySelector("b").textContent, agent: use.dataset.agent, kind: use.dataset.kind,
    x_m, y_m, x: box.x + box.width / 2 - map.x, y: box.y + box.height / 2 - map.y,
    width: box.width, height: box.height, map_width: map.width, map_height: map.height,
    is_shown: box.width > 0,
  };
})
"""


@pytest.mark.parametrize("width_px", [1280, 400])
def test_maps_show_every_event_where_it_was(
    browser: Browser, file: Path, reports: Mapping[str, ScoreReport], width_px: int
) -> None:
    tab = browser.open(file, width_px=width_px)
    marks = tab.value(MARKS)
    sentences = [
        sentence
        for report in reports.values()
        for each in report.results.records
        for texts in each.route.messages.values()
        for sentence in texts
        if "(x=" in sentence
    ]
    assert sorted(f"(x={mark['x_m']:.1f}, y={mark['y_m']:.1f}, z=0.0)" for mark in marks) == sorted(
        sentence[sentence.index("(x=") :] for sentence in sentences
    )
    assert {mark["town"] for mark in marks} == {"Borough01", "Grid01", "Highland01"}
    for town in {mark["town"] for mark in marks}:
        here = [mark for mark in marks if mark["town"] == town]
        assert all(6.0 < mark["width"] < 20.0 and 3.0 < mark["height"] < 20.0 for mark in here)
        assert all(0.0 < mark["x"] < mark["map_width"] and 0.0 < mark["y"] < mark["map_height"] for mark in here)
        west, east = (function(here, key=lambda mark: mark["x_m"]) for function in (min, max))
        scale = (east["x"] - west["x"]) / (east["x_m"] - west["x_m"])
        assert scale > 0.0
        for mark in here:
            # More x lies further right and more y further down, as CARLA sees its towns, and both at one scale. The
            # marks' middles are not all the places themselves, hence a pixel and a half.
            assert mark["x"] - west["x"] == pytest.approx((mark["x_m"] - west["x_m"]) * scale, abs=1.5)
            assert mark["y"] - west["y"] == pytest.approx((mark["y_m"] - west["y_m"]) * scale, abs=1.5)
    nothing_happened(tab, file)


def test_kinds_and_agents_are_switched_off_and_on(tab: Tab) -> None:
    def switch(name: str, value: str) -> list[dict[str, Any]]:
        tab.value(f"document.querySelector('[name={name}][value=\"{value}\"]').click()")
        marks: list[dict[str, Any]] = tab.value(MARKS)
        return marks

    everything = tab.value(MARKS)
    assert all(mark["is_shown"] for mark in everything)
    assert {mark["agent"] for mark in everything} == {"0", "1", "2"}
    for mark in switch("agent", "1"):
        assert mark["is_shown"] == (mark["agent"] != "1")
    for mark in switch("kind", "red_light"):
        assert mark["is_shown"] == (mark["agent"] != "1" and mark["kind"] != "red_light")
    switch("agent", "1")
    assert switch("kind", "red_light") == everything


def test_a_larger_map_keeps_the_size_of_its_marks_and_of_the_page(tab: Tab) -> None:
    before, height = tab.value(MARKS)[0], tab.value("document.documentElement.scrollHeight")
    plus, minus = (f"document.querySelector('button[data-zoom=\"{step}\"]')" for step in ("1", "-1"))
    assert tab.value(f"{minus}.disabled") is True
    tab.value(f"{plus}.click(); {plus}.click()")
    after = tab.value(MARKS)[0]
    assert after["map_width"] == pytest.approx(4.0 * before["map_width"], rel=0.01)
    assert after["width"] == pytest.approx(before["width"], rel=0.02)
    assert tab.value("document.documentElement.scrollHeight") == height
    view = tab.value(
        "(({scrollLeft, scrollWidth, clientWidth}) => [scrollLeft, scrollWidth, clientWidth])"
        "(document.querySelector('.window'))"
    )
    assert view[0] + view[2] / 2 == pytest.approx(view[1] / 2, abs=3), "the middle stays in the middle"
    tab.value(f"{minus}.click(); {minus}.click()")
    assert tab.value(MARKS)[0] == before


# --- how it looks ----------------------------------------------------------------------------------------------------

TOO_WIDE = """
Array.from(document.querySelectorAll("body *"), (each) => [each, each.getBoundingClientRect()])
  .filter(([each, box]) => box.width && (box.right > innerWidth + 0.5 || box.left < -0.5))
  .filter(([each]) => !each.closest(".box table, .window svg"))
  .map(([each]) => each.outerHTML.slice(0, 120))
"""
SPILLING = """
Array.from(document.querySelectorAll(".card, .card *, header *, section > *, figure, fieldset"))
  .filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth && !each.matches(".box"))
  .map((each) => each.outerHTML.slice(0, 120))
"""


@pytest.mark.parametrize("width_px", [1280, 820, 400])
def test_the_page_fits_any_width(browser: Browser, file: Path, width_px: int) -> None:
    tab = browser.open(file, width_px=width_px)
    tab.value("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert tab.value("document.documentElement.scrollWidth") == width_px
    assert tab.value(TOO_WIDE) == []
    assert tab.value(SPILLING) == []
    smallest = "(chosen) => Math.min(...Array.from(document.querySelectorAll(chosen), (each) => %s))"
    assert tab.value(f"({smallest % 'parseFloat(getComputedStyle(each).fontSize)'})('p, td, th, dd, dt, li')") >= 12.0
    assert tab.value(f"({smallest % 'each.getBoundingClientRect().height'})('.town .edge, .scale text')") >= 9.0
    # Every table scrolls by itself, so that its last column can be reached.
    reached = tab.value(
        "Array.from(document.querySelectorAll('.box'), (box) => { box.scrollLeft = 1e6; "
        "return box.querySelector('thead tr:last-child > :last-child').getBoundingClientRect().right <= innerWidth; })"
    )
    assert len(reached) > 8 and all(reached)
    nothing_happened(tab, file)


@pytest.mark.parametrize("is_dark", [False, True])
def test_text_stands_out_in_light_and_dark(browser: Browser, file: Path, is_dark: bool) -> None:
    tab = browser.open(file, is_dark=is_dark)
    red = int(tab.value("getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0])
    assert (red < 64) == is_dark
    contrasts = tab.value(CONTRAST)
    assert len(contrasts) > 3
    assert min(contrasts.values()) >= 4.5, contrasts
    nothing_happened(tab, file)


def test_the_page_works_below_the_policy_of_a_server(browser: Browser, file: Path, tmp_path: Path) -> None:
    content = file.read_text(encoding="utf-8")
    changed, count = re.subn(r"default-src 'none'; style-src '[^']*'; script-src '[^']*'", GIVEN_POLICY, content)
    assert count == 1
    # Without its own policy escaping alone keeps names from becoming code.
    copy = tmp_path / "copy.html"
    copy.write_text(changed, encoding="utf-8")
    tab = browser.open(copy)
    assert tab.value("document.documentElement.className") == "script"
    nothing_happened(tab, copy)


def test_what_got_past_the_escaping_would_not_run(browser: Browser, file: Path, tmp_path: Path) -> None:
    content = file.read_text(encoding="utf-8")
    copy = tmp_path / "copy.html"
    copy.write_text(content.replace("<main>", f"<main>{HOSTILE}", 1), encoding="utf-8")
    tab = browser.open(copy)
    assert tab.value("window.boom") is None
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)
