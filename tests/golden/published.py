"""The published result records under ``results/``, one by one, for tests that hold for each of them."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.datatypes.scored_route import ScoredRoute

#: File and route of the records whose penalty no rule version explains: a TickRuntime with penalty 0 although its
#: sentences cost nothing, once as the evaluator left it and once in the merged file.
UNEXPLAINED = (
    ("bench2drive/plant2_pdm_lite/eval_bench2drive220_2.json", "RouteScenario_11755_rep0"),
    ("bench2drive/plant2_pdm_lite/merged.json", "RouteScenario_11755_rep0"),
)


def published_files(results: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and content of every result file, those in archives too."""
    for file in sorted(results.rglob("*")):
        if file.suffix == ".json":
            yield str(file.relative_to(results)), json.loads(file.read_bytes())
        elif file.name.endswith(".tar.gz"):
            with tarfile.open(file) as archive:
                for member in archive:
                    if member.isfile() and member.name.endswith(".json"):
                        content = archive.extractfile(member)
                        assert content is not None
                        yield f"{file.relative_to(results)}/{member.name}", json.loads(content.read())


def published_records(results: Path, below: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield file name and record of what lies below a folder; ability tables hold none."""
    for name, content in published_files(results):
        if name.startswith(below) and not name.endswith("_ability.json"):
            yield from ((name, record) for record in content["_checkpoint"]["records"])


def scored(record: dict[str, Any]) -> ScoredRoute:
    """Turn a record into the shared type; BevAD gave its routes names of its own, without repetition."""
    xml_id, _, repetition = record["route_id"].removeprefix("RouteScenario_").partition("_rep")
    return ScoredRoute(
        route_id=record["route_id"],
        xml_id=xml_id,
        repetition=int(repetition or 0),
        status=record["status"],
        completion_percent=record["scores"]["score_route"],
        penalty=record["scores"]["score_penalty"],
        driving_score=record["scores"]["score_composed"],
        messages={key: tuple(texts) for key, texts in record["infractions"].items()},
        length_m=record["meta"]["route_length"],
        duration_sim_s=record["meta"]["duration_game"],
        duration_wall_s=record["meta"]["duration_system"],
    )
