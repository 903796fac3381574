"""Damaged and hostile input: always the file's name and what is wrong, never a traceback, never much memory or time."""

from __future__ import annotations

import json
import os
import random
import socket
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.results.openings import LARGEST_FILE_BYTES
from harness.results.read import read_results
from harness.results.result_set import OnDuplicate, ProblemKind
from tests.unit.results.drawn import JSON, accounted, as_bytes, checkpoint, only_problem, record, write


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        (b"", ProblemKind.MALFORMED, "found an empty file, expected JSON"),
        (b" \n", ProblemKind.MALFORMED, "found 2 blank or zero bytes, expected JSON"),
        (bytes(64), ProblemKind.MALFORMED, "found 64 blank or zero bytes, expected JSON"),
        (b"{broken", ProblemKind.MALFORMED, "expected complete JSON"),
        (b'{"_checkpoint": {}', ProblemKind.MALFORMED, "found input data was truncated, expected complete JSON"),
        (b'{"_checkpoint": NaN}', ProblemKind.MALFORMED, "expected complete JSON"),
        (b"\xff\xfe{\0", ProblemKind.MALFORMED, "expected complete JSON"),
        (b"[" * 500_000, ProblemKind.MALFORMED, "expected"),
        (b'{"_checkpoint":' * 100_000, ProblemKind.MALFORMED, "found values nested too deeply, expected a few levels"),
        (b'{"_checkpoint": 5}', ProblemKind.MALFORMED, "found `int` at _checkpoint, expected `object`"),
        (b'{"_checkpoint": {}}', ProblemKind.MALFORMED, "found no records in _checkpoint, expected a list of records"),
        (b'{"_checkpoint": {"records": {}}}', ProblemKind.MALFORMED, "found `object` at records, expected `array`"),
        (b'{"_checkpoint": {"records": []}}', ProblemKind.NO_RECORDS, "found no record, expected at least one record"),
        (
            as_bytes(checkpoint([], planned=220)),
            ProblemKind.NO_RECORDS,
            "found no record (0 of 220 routes done, entry_status Finished), expected at least one record",
        ),
    ],
)
def test_a_file_without_a_sound_record_says_why(tmp_path: Path, content: bytes, kind: ProblemKind, text: str) -> None:
    problem = only_problem(write(tmp_path / "7.json", content))
    assert problem.kind is kind
    assert str(problem).startswith(f"{tmp_path / '7.json'}: found ")
    assert text in str(problem)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"route_id": 5}, "found `int` at route_id, expected `str`"),
        ({"route_id": ""}, "found an empty route_id"),
        ({"status": None}, "found `null` at status, expected `str`"),
        ({"status": "Started"}, "found status 'Started', expected Perfect, Completed, Failed or Failed - <reason>"),
        ({"status": "Done\x1b[2J"}, r"found status 'Done\x1b[2J'"),
        ({"scores": []}, "found `array` at scores, expected `object`"),
        ({"scores": {"score_penalty": 1, "score_composed": 1}}, "found no score_route at scores, expected one"),
        (
            {"scores": {"score_route": "100", "score_penalty": 1, "score_composed": 1}},
            "found `str` at scores.score_route",
        ),
        ({"scores": {"score_route": True, "score_penalty": 1, "score_composed": 1}}, "found `bool`"),
        (
            {"scores": {"score_route": 137, "score_penalty": 1, "score_composed": 1}},
            "found score_route 137, expected 0 to 100",
        ),
        ({"scores": {"score_route": 1, "score_penalty": 7, "score_composed": 1}}, "found score_penalty 7"),
        ({"scores": {"score_route": 1, "score_penalty": 1, "score_composed": -3}}, "found score_composed -3"),
        ({"scores": {"score_route": 10**400, "score_penalty": 1, "score_composed": 1}}, "Number out of range"),
        ({"meta": {"route_length": 1e300}}, "found route_length 1e+300"),
        ({"infractions": {"red_light": "text"}}, "found `str` at infractions"),
        ({"infractions": {"red_light": [5]}}, "found `int` at infractions"),
        ({"infractions": None}, "found `null` at infractions"),
        ({"town_name": ["a"]}, "found `array` at town_name"),
        ({"status": "Failed - \x1b]0;a\x07"}, r"found status 'Failed - \x1b]0;a\x07', expected at most 200 printable"),
        ({"status": "Failed - \n" + "x" * 999}, r"found status 'Failed - \nxxx"),
        ({"route_id": "RouteScenario_2\x1b[2J_rep0"}, r"found route_id 'RouteScenario_2\x1b[2J_rep0'"),
        ({"route_id": "a" * 201}, "found route_id 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...aaa"),
        ({"town_name": "Town\u202e01"}, r"found town_name 'Town\u202e01'"),
        ({"scenario_name": "a\nb"}, r"found scenario_name 'a\nb'"),
        ({"save_name": "S/" + "x" * 5000}, "found save_name 'S/xxx"),
        ({"weather_id": "\x00"}, r"found weather_id '\x00'"),
    ],
)
def test_one_wrong_record_is_named_and_the_others_count(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    file = write(tmp_path / "a.json", checkpoint([record(1), record(2, **changes), record(3)]))
    results = read_results([file])
    assert [(each.route.xml_id, each.position) for each in results.records] == [("1", 0), ("3", 2)]
    (problem,) = results.problems
    assert (problem.kind, problem.position) == (ProblemKind.WRONG_RECORD, 1)
    assert str(problem).startswith(f"{file} record 1: ")
    assert text in str(problem)
    assert (results.files[0].found, results.files[0].refused) == (2, 1)


def test_texts_of_the_longest_length_and_of_any_script_count(tmp_path: Path) -> None:
    texts: dict[str, Any] = {
        "status": "Failed - " + "x" * 191,
        "town_name": "Tübingen",
        "save_name": "东" * 200,
        "weather_id": 1e-7,
    }
    (found,) = read_results([write(tmp_path / "a.json", checkpoint([record(1, **texts)]))]).records
    assert (found.route.status, found.route.save_name) == (texts["status"], texts["save_name"])


@pytest.mark.parametrize("key", ["suite", "agent", "rule_version"])
def test_what_a_file_of_ours_calls_itself_can_be_printed(tmp_path: Path, key: str) -> None:
    content = checkpoint([record(1)]) | {"harness": {"suite": "mini", "seed": 1, key: "\x1b[2J"}}
    problem = only_problem(write(tmp_path / "a.json", content))
    assert problem.found == rf"harness.{key} '\x1b[2J'"


@pytest.mark.parametrize("key", ["suite", "route_id"])
def test_what_a_manifest_names_can_be_printed(tmp_path: Path, key: str) -> None:
    unit = {"suite": "mini", "route_id": "1", "repetition": 0, "seed": 1, key: "a" * 300}
    problem = only_problem(write(tmp_path / "units.jsonl", json.dumps(unit) + "\n"))
    assert problem.found == f"{key} '{'a' * 30}...{'a' * 30}' in line 1"


def test_a_record_without_infractions_is_no_clean_drive(tmp_path: Path) -> None:
    bare = record(1)
    del bare["infractions"]
    assert "no infractions" in only_problem(write(tmp_path / "a.json", checkpoint([bare]))).found


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        ([5, 9], "found 1 records, progress says 5 done"),
        ("x", "at progress"),
        ([1], "progress [1]"),
        ([-1, 2], "progress [-1, 2]"),
    ],
)
def test_progress_that_does_not_fit_is_named_and_records_count(tmp_path: Path, progress: Any, text: str) -> None:
    content = checkpoint([record()])
    content["_checkpoint"]["progress"] = progress
    results = read_results([write(tmp_path / "a.json", content)])
    assert len(results.records) == 1
    assert [problem.kind for problem in results.problems] == [ProblemKind.INCONSISTENT]
    assert text in str(results.problems[0])


def test_truncation_at_every_byte_is_named(tmp_path: Path) -> None:
    whole = json.dumps(checkpoint([record(1), record(2)]), indent=1).encode()
    file = tmp_path / "a.json"
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        problem = only_problem(file)
        assert (problem.kind, problem.file) == (ProblemKind.MALFORMED, str(file)), size
    file.write_bytes(whole)
    assert len(read_results([file]).records) == 2


def replaced(content: Any, number: int, value: Any) -> Any:
    """Return JSON with its n-th value, counted depth first, replaced."""
    count = -1

    def walk(item: Any) -> Any:
        nonlocal count
        count += 1
        if count == number:
            return value
        if isinstance(item, dict):
            return {key: walk(inner) for key, inner in item.items()}
        return [walk(inner) for inner in item] if isinstance(item, list) else item

    return walk(content)


def test_any_value_of_any_wrong_type_is_survived(tmp_path: Path) -> None:
    content = {**checkpoint([record(1), record(2)]), "harness": {"suite": "mini", "seed": 3}}
    file = tmp_path / "a.json"
    values = (
        None,
        True,
        -1,
        1e308,
        10**400,
        "text",
        "\ud800",
        "\x00",
        [],
        [[]],
        {},
        {"a": {}},
        float("nan"),
        float("-inf"),
    )
    for number in range(60):
        for value in values:
            write(file, json.dumps(replaced(content, number, value)))
            accounted(read_results([file], on_duplicate=OnDuplicate.ALL))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(content=JSON | st.binary(max_size=200), seed=st.integers(0, 2**32))
def test_noise_is_survived(content: Any, seed: int) -> None:
    random_bytes = random.Random(seed)
    sound = bytearray(as_bytes(checkpoint([record(1), record(2)])))
    for _ in range(random_bytes.randint(1, 8)):
        sound[random_bytes.randrange(len(sound))] = random_bytes.randrange(256)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "noise.json", content if isinstance(content, bytes) else json.dumps(content))
        write(Path(folder) / "flipped.json", bytes(sound))
        accounted(read_results([Path(folder)], on_duplicate=OnDuplicate.ALL))


def test_a_sparse_file_of_10_gb_is_refused_unread(tmp_path: Path) -> None:
    for name in ("big.json", "big.tar"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(10 * 1024**3)
    started_s = time.monotonic()
    results = read_results([tmp_path])
    assert time.monotonic() - started_s < 1.0
    assert [problem.kind for problem in results.problems] == [ProblemKind.TOO_LARGE] * 2
    assert str(results.problems[0]).endswith(
        f"big.json: found {10 * 1024**3} bytes, expected at most {LARGEST_FILE_BYTES}"
    )


def test_what_nobody_asks_for_costs_no_memory(tmp_path: Path) -> None:
    padded = checkpoint([record(1)])
    text = json.dumps(padded)[:-1] + ', "padding": [' + "[]," * 2_000_000 + "[]]}"
    file = write(tmp_path / "a.json", text)
    tracemalloc.start()
    assert len(read_results([file]).records) == 1
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * file.stat().st_size


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "pipe.tar.gz")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.json")
        opened: list[str] = []
        real_open = os.open
        monkeypatch.setattr(
            os, "open", lambda path, *rest, **named: opened.append(str(path)) or real_open(path, *rest, **named)
        )
        results = read_results([Path()])
    assert {problem.file: problem.found for problem in results.problems} == {
        "pipe.json": "a FIFO",
        "pipe.tar.gz": "a FIFO",
        "socket.json": "a socket",
        "zero.json": "a device",
    }
    assert not [path for path in opened if path.endswith((".json", ".gz"))]


def test_loops_and_dead_ends_of_links_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "b.json")
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    (tmp_path / "dead.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self").symlink_to(tmp_path)
    write(tmp_path / "1.json", checkpoint([record()]))
    results = read_results([tmp_path])
    assert len(results.records) == 1
    names = {Path(problem.file).name for problem in results.problems}
    assert names == {"a.json", "b.json", "dead.json"}
    assert only_problem(tmp_path / "a.json").kind is ProblemKind.UNREADABLE


def test_what_an_ordinary_user_may_not_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.json", checkpoint([record()]))
    write(tmp_path / "no.json", checkpoint([record()])).chmod(0)
    (tmp_path / "closed").mkdir(mode=0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # the folders above are closed to others
    own = os.geteuid()
    try:
        os.seteuid(own or 65534)  # root reads everything
        results = read_results([Path()])
    finally:
        os.seteuid(own)
        (tmp_path / "closed").chmod(0o700)
    assert len(results.records) == 1
    assert {(problem.file, problem.found) for problem in results.problems} == {
        ("no.json", "Permission denied"),
        ("closed", "Permission denied"),
    }


def test_what_the_system_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.json", checkpoint([record(1)]))
    write(tmp_path / "no.json", checkpoint([record(2)]))
    (tmp_path / "closed").mkdir()
    real_open, real_scan = os.open, os.scandir

    def refuse(path: Any, *rest: Any, **named: Any) -> int:
        if str(path).endswith("no.json"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *rest, **named)

    def refuse_folder(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    results = read_results([tmp_path])
    assert [each.route.xml_id for each in results.records] == ["1"]
    assert {(Path(p.file).name, p.found) for p in results.problems} == {
        ("no.json", "Permission denied"),
        ("closed", "Permission denied"),
    }


def test_folders_may_be_nested_deeply(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(400):
        folder = folder / "d"
    write(folder / "a.json", checkpoint([record()]))
    assert len(read_results([tmp_path]).records) == 1


def test_names_that_would_move_the_cursor_are_escaped(tmp_path: Path) -> None:
    write(tmp_path / "a\x1b[31m\n.json", "{")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json")).write_text("{")
    for problem in read_results([tmp_path]).problems:
        assert str(problem).isprintable()
        str(problem).encode()
