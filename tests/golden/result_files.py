"""A small reader of result files for the tests of the aggregates; what a peer drops is visible at each call."""

from __future__ import annotations

import io
import json
import re
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.datatypes.scored_route import ScoredRoute

_ROUTE_ID = re.compile(r"RouteScenario_(.+)_rep(\d+)")


def scored(record: Mapping[str, Any]) -> ScoredRoute:
    """Turn one record into the type of the aggregates; an id of another form (BevAD's) is taken whole."""
    found = _ROUTE_ID.fullmatch(record["route_id"])
    return ScoredRoute(
        route_id=record["route_id"],
        xml_id=found.group(1) if found else record["route_id"],
        repetition=int(found.group(2)) if found else 0,
        status=record["status"],
        completion_percent=float(record["scores"]["score_route"]),
        penalty=float(record["scores"]["score_penalty"]),
        driving_score=float(record["scores"]["score_composed"]),
        messages={key: tuple(texts) for key, texts in record["infractions"].items()},
        length_m=float(record["meta"]["route_length"]),
        duration_sim_s=float(record["meta"]["duration_game"]),
        duration_wall_s=float(record["meta"]["duration_system"]),
        town=record.get("town_name") or "",
        save_name=record.get("save_name") or "",
    )


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def routes_of(path: Path) -> list[ScoredRoute]:
    """Read every record of one file."""
    return [scored(record) for record in read_json(path)["_checkpoint"]["records"]]


def shards(folder: Path) -> list[Path]:
    """Return the files that the peers' merge tools read: all but merged ones."""
    return sorted(path for path in folder.glob("*.json") if "merged" not in path.name)


def routes_in(folder: Path) -> list[ScoredRoute]:
    """Read every record of the shards of a folder."""
    return [route for path in shards(folder) for route in routes_of(path)]


def files_in_archive(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield name and content of each JSON file of a tar archive, by name."""
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            if member.isfile() and member.name.endswith(".json"):
                content = archive.extractfile(member)
                assert content is not None
                yield member.name, json.load(io.TextIOWrapper(content, encoding="utf-8"))


def route_elements(path: Path) -> list[ElementTree.Element]:
    """Return the routes of an XML file in the order of the file."""
    return list(ElementTree.parse(path).getroot().iter("route"))
