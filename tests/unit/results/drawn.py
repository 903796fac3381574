"""Records and files for the tests of the reader, drawn by hand or by hypothesis."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from harness.results.read import read_results
from harness.results.result_set import FileKind, Problem, ResultSet

KEYS = ("collisions_layout", "red_light", "min_speed_infractions", "outside_route_lanes", "route_timeout")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["_checkpoint", "records", "scores", "progress", "harness", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


def record(xml_id: object = 1, repetition: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a sound record."""
    return {
        "index": 0,
        "route_id": f"RouteScenario_{xml_id}_rep{repetition}",
        "status": "Completed",
        "num_infractions": 1,
        "infractions": {**{key: [] for key in KEYS}, "red_light": ["Agent ran a red light 7 at (x=1.0, y=2.0, z=0.0)"]},
        "scores": {"score_route": 100, "score_penalty": 0.7, "score_composed": 70.0},
        "meta": {"route_length": 120.5, "duration_game": 30.0, "duration_system": 61.2},
        **changes,
    }


def checkpoint(records: Sequence[Mapping[str, Any]], planned: int | None = None) -> dict[str, Any]:
    """Return the file of an evaluator."""
    progress = [len(records), len(records) if planned is None else planned]
    inner = {"global_record": {}, "progress": progress, "records": list(records)}
    return {"_checkpoint": inner, "entry_status": "Finished", "eligible": True, "sensors": [], "values": []}


def merged(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a file of Bench2Drive's merge tool: records without index, no progress."""
    plain = [{key: value for key, value in each.items() if key != "index"} for each in records]
    return {"_checkpoint": {"records": plain}, "driving score": 50.0, "success rate": 0.5, "eval num": len(plain)}


def write(path: Path, content: Any) -> Path:
    """Write JSON, or text or bytes as they are; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
    return path


def pack(path: Path, members: Mapping[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    """Write an archive; a member is its bytes, or a header of any type."""
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            header = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                header.size = len(content)
            archive.addfile(header, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def as_bytes(content: Any) -> bytes:
    """Return JSON as bytes."""
    return json.dumps(content).encode()


@st.composite
def drives(draw: st.DrawFn, largest: int = 12) -> list[dict[str, Any]]:
    """Draw records of different drives with scores and messages of their own."""
    keys = draw(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2)), unique=True, min_size=2, max_size=largest))
    return [
        record(
            xml_id,
            repetition,
            index=index,
            status=draw(st.sampled_from(["Perfect", "Completed", "Failed", "Failed - Agent got blocked"])),
            scores={
                "score_route": draw(st.floats(0, 100)),
                "score_penalty": draw(st.floats(0, 1)),
                "score_composed": draw(st.floats(0, 100)),
            },
        )
        for index, (xml_id, repetition) in enumerate(keys)
    ]


def seeds_of(results: ResultSet) -> tuple[int | None, ...]:
    """Return the seeds that have a record; the unknown one first."""
    return tuple(sweep.seed for sweep in sorted({each.sweep for each in results.records}, key=lambda each: each.order))


def only_problem(path: Path) -> Problem:
    """Return the one problem of a path without a sound record."""
    results = read_results([path])
    (problem,) = results.problems
    assert not results.records
    return problem


def accounted(results: ResultSet) -> None:
    """Check that every file is there, with its records counted, or with a problem, or known as something else."""
    for file in results.files:
        has_problem = any(problem.file == file.name for problem in results.problems)
        assert file.counted or has_problem or file.kind in (FileKind.OTHER, FileKind.ABILITY, FileKind.METRIC_INFO)
    for problem in results.problems:
        assert problem.file and problem.found and problem.expected
        assert str(problem).isprintable()
    for each in results.records:
        each.route.route_id.encode()
        json.dumps(dict(each.route.messages)).encode()
