"""The page of scores made of published files: whose numbers it shows, how large it is and how long it takes."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from time import process_time

import pytest

from harness.stages.score import ScoreReport, ScoreRequest, score
from harness.stages.score_page.page import page
from tests.golden.command import score as command

PLACE = re.compile(r"\(x=(-?[0-9.]+), y=(-?[0-9.]+), z=-?[0-9.]+\)")
# Rows of the benchmark's own table: driving score, success rate and their mean on Base, then on Generalization.
PUBLISHED = {"TFv6": ("90.2", "93.3", "79.5", "70.7"), "BridgeDrive.tar.gz": ("91.6", "95.0", "82.0", "75.0")}


def report_of(path: Path, bench: str) -> ScoreReport:
    return score(ScoreRequest(paths=(path,), bench=bench))


def texts_of(path: Path) -> list[str]:
    """Return the files of an agent without our reader."""
    if path.is_dir():
        return [file.read_text() for file in path.rglob("*.json")]
    with tarfile.open(path) as archive:
        files = [archive.extractfile(member) for member in archive if member.name.endswith(".json")]
        return [file.read().decode() for file in files if file is not None]


@pytest.mark.parametrize("agent", PUBLISHED)
def test_published_rows_and_every_place_in_the_files(harness_data: Path, agent: str) -> None:
    path = harness_data / "results" / "fail2drive" / agent
    content = page({"": report_of(path, "fail2drive")})
    rows = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)
        for line in content.split('id="splits"')[1].split("</table>")[0].splitlines()
        if "<td" in line
    ]
    assert tuple(cell for row in rows for cell in row[1:3]) == PUBLISHED[agent]
    places = sorted(f"x {float(x):.1f} m, y {float(y):.1f} m" for it in texts_of(path) for x, y in PLACE.findall(it))
    assert len(places) > 100
    assert sorted(re.findall(r"x -?[0-9.]+ m, y -?[0-9.]+ m", content)) == places
    assert content.split('id="routes"')[1].split("</table>")[0].count("<tr>") == 1 + 600
    assert content.count("<code>") == 600


def test_towns_of_bench2drive_have_a_map_each(harness_data: Path) -> None:
    report = report_of(harness_data / "results" / "bench2drive" / "plant2_tfpp", "bench2drive")
    content = page({"": report})
    # Every record of Bench2Drive names its town itself.
    towns = {
        each.route.save_name.split("_rep0_")[1].split("_")[0]
        for each in report.results.records
        if any(PLACE.search(sentence) for sentences in each.route.messages.values() for sentence in sentences)
    }
    assert set(re.findall(r"<figcaption><b>(\w+)</b>", content)) == towns
    assert len(towns) == 11


def test_600_records_make_a_small_page_at_once(harness_data: Path) -> None:
    report = report_of(harness_data / "results" / "fail2drive" / "TFv6", "fail2drive")
    times_s = []
    for _ in range(3):
        started_s = process_time()
        content = page({"TFv6": report})
        times_s.append(process_time() - started_s)
    assert len(content.encode()) < 1_500_000
    assert min(times_s) < 0.5


def test_abilities_scenarios_and_the_comparison_are_on_the_page(harness_data: Path) -> None:
    results = harness_data / "results" / "bench2drive"
    arguments = (f"tfpp={results / 'plant2_tfpp'}", f"pdm={results / 'plant2_pdm_lite'}", "--bench", "bench2drive")
    content = command(*arguments, "--compare", "tfpp", "pdm", "--output", "html").stdout
    rows = table(content, "abilities")
    assert rows["tfpp", "0.0.3"] == ["57.78", "58.75", "83.33", "40.00", "82.11", "64.39"]
    assert rows["pdm", "0.0.3"][-2:] == ["93.68", "92.82"]
    assert table(content, "scenarios")["Accident", "tfpp"] == ["92.00", "80.0", "5", "5"]
    assert table(content, "comparison")["Accident", "+8.00"][2:] == ["5", "1", "0"]
    assert "<h2>pdm against tfpp</h2>" in content and "is +12.81 against tfpp" in content
    assert "<h2>pdm against tfpp</h2>" not in command(*arguments, "--output", "html").stdout


def table(content: str, identity: str) -> dict[tuple[str, str], list[str]]:
    """Return the rows of a table by their first two cells."""
    lines = content.split(f'id="{identity}"')[1].split("</table>")[0].splitlines()
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in lines if "<td" in line and "<tr>" in line]
    return {(row[0], row[1]): row[2:] for row in cells}
