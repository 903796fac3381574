"""From the events of a run to the result file that the evaluator of a rule version leaves behind."""

from __future__ import annotations

import itertools
import json
import math
import os
from pathlib import Path
from typing import Any, Final

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.result import Failure, RouteOutcome
from harness.errors import ConfigError, HarnessError
from harness.jobs.publish import publish_text
from harness.metrics.bench2drive_rules import RouteNames
from harness.metrics.checkpoint import EntryStatus, added, checkpoint, ends_run
from harness.metrics.engine import ENGINES
from harness.metrics.lb20 import message
from harness.metrics.records import route_record
from harness.metrics.rules import RuleVersion
from harness.results.event_file import COMPLETION, FAILURES, KINDS, LOAD, EventFile, EventRoute, read_events

# Until then nobody has asked an agent for its sensors.
_BEFORE_SENSORS: Final = (LOAD, "agent_init")
_ROUTE_TIMEOUT: Final = Infraction(kind=InfractionKind.ROUTE_TIMEOUT)


def write_checkpoint(events: Path, version: RuleVersion, output: Path | None, *, is_forced: bool = False) -> str:
    """Return the result file for a file of events as text, and write it if a place is given.

    Args:
        output: new file; None to write nothing.
        is_forced: a file that is there may be replaced.

    Raises:
        ConfigError: the events are not as described, or there is something at ``output`` already, or it is the file of
            events itself.
        OSError: the result cannot be written.
    """
    if output is not None:
        _check_output(output, events, is_forced=is_forced)
    try:
        content = evaluate(read_events(events), version)
    except HarnessError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"cannot use events file {events}: {error.message}", hint="docs/events.md describes the file"
        ) from error
    text = json.dumps(content, indent=4, allow_nan=False)
    if output is not None:
        publish_text(output, text)
    return text


def evaluate(run: EventFile, version: RuleVersion) -> dict[str, Any]:
    """Do what an evaluator does with the events of its routes, until one of them ends the run.

    Raises:
        HarnessError: a failure that the rules do not know, or an off-lane sentence that does not name its metres.
    """
    records: list[dict[str, Any]] = []
    stopped_by, is_agent_known = Failure.NONE, False
    for index, route in enumerate(run.routes):
        records.append(_record(route, index, version))
        is_agent_known = is_agent_known or route.failure not in _BEFORE_SENSORS
        if ends_run(_failure(route, version), version):
            stopped_by = _failure(route, version)
            break
    sensors = run.sensors if is_agent_known else ()
    content = checkpoint(records, run.total_routes, sensors=sensors, stopped_by=stopped_by, version=version)
    if content["values"] and is_agent_known and not sensors:
        # The evaluators validate what they have written, and an agent without sensors does not pass.
        content |= {"entry_status": EntryStatus.INVALID.value, "eligible": False}
    return content


def _record(route: EventRoute, index: int, version: RuleVersion) -> dict[str, Any]:
    names = RouteNames(
        scenario_name=route.scenario_name,
        weather_id=route.weather_id,
        save_name=route.save_name,
        town_name=route.town_name,
    )
    record = route_record(_outcome(route, version), index, version, names)
    record["infractions"] = _messages(route)
    return record


def _messages(route: EventRoute) -> dict[str, list[str]]:
    """Return the sentences of a route as they are in the file: an evaluator copies them."""
    messages: dict[str, list[str]] = {kind.value: [] for kind in InfractionKind}
    if route.failure == LOAD:
        return messages
    for event in route.events:
        if event.type in KINDS:
            messages[KINDS[event.type].value].append(event.message)
    if route.route_timeout:
        messages[InfractionKind.ROUTE_TIMEOUT.value].append(message(_ROUTE_TIMEOUT))
    return messages


def _outcome(route: EventRoute, version: RuleVersion) -> RouteOutcome:
    failure = _failure(route, version)
    if route.failure == LOAD:
        return RouteOutcome(
            route_id=route.route_id,
            route_length_m=0,
            completion_percent=0.0,
            failure=failure,
            duration_sim_s=route.duration_game,
            duration_wall_s=route.duration_system,
        )
    infractions = [
        Infraction(kind=KINDS[event.type], percentage=event.percentage or 0.0)
        for event in route.events
        if event.type in KINDS
    ]
    completions = [event.route_completed for event in route.events if event.type == COMPLETION]
    return RouteOutcome(
        route_id=route.route_id,
        route_length_m=added(math.dist(a, b) for a, b in itertools.pairwise(route.route_points)),
        completion_percent=next((share for share in reversed(completions) if share is not None), 0.0),
        infractions=(*infractions, *[_ROUTE_TIMEOUT] * route.route_timeout),
        failure=failure,
        duration_sim_s=route.duration_game,
        duration_wall_s=route.duration_system,
    )


def _failure(route: EventRoute, version: RuleVersion) -> Failure:
    if route.failure is None:
        return Failure.NONE
    failure = FAILURES[route.failure]
    if failure is Failure.TICK_RUNTIME and ENGINES[version].most_ticks is None:
        cutting = ", ".join(rules for rules, engine in ENGINES.items() if engine.most_ticks is not None)
        raise HarnessError(
            f"found failure {route.failure!r} of route {route.route_id[:60]!r}, expected one of rules {version}; "
            f"only {cutting} cuts a drive"
        )
    return failure


def _check_output(output: Path, events: Path, *, is_forced: bool) -> None:
    try:
        exists, is_file = os.path.lexists(output), output.is_file()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot write {str(output)[:200]!r}: {error}, expected the name of a new file") from error
    if not exists:
        return
    if not is_file:
        raise ConfigError(f"{output} is no file, expected the name of a new one", hint=f"ls -ld {output}")
    if _is_same_file(output, events):
        raise ConfigError(
            f"{output} is the events file {events} itself, expected another name", hint=f"--output {output}.result"
        )
    if not is_forced:
        raise ConfigError(f"{output} is there already, expected the name of a new file", hint="--force replaces it")


def _is_same_file(output: Path, events: Path) -> bool:
    try:
        return output.samefile(events)
    except (OSError, ValueError):
        return False  # events that cannot be reached are named when they are read
