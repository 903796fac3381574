"""Which machines fail too often to be given more work."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.datatypes.job import Attempt, Outcome

LEAST_FAILURES = 3
LEAST_SHARE = 0.5
# Failures that a machine can be blamed for; the others are the agent's, the unit's or the user's.
BLAMED = frozenset(
    {Outcome.SIMULATOR_START, Outcome.SIMULATOR_CRASH, Outcome.SIMULATOR_HANG, Outcome.NODE, Outcome.LOST}
)


@dataclass(frozen=True, kw_only=True)
class NodeHealth:
    """What became of the attempts on one machine.

    Attributes:
        results: attempts that published a result.
        failures: kind -> attempts that did not.
        fingerprints: fingerprint -> attempts that failed alike; a machine's own fault looks the same for many units.
    """

    results: int
    failures: Mapping[Outcome, int]
    fingerprints: Mapping[str, int]

    @property
    def blamed(self) -> int:
        """Failures that a machine can be blamed for."""
        return sum(count for kind, count in self.failures.items() if kind in BLAMED)

    @property
    def is_failing(self) -> bool:
        """At least half of what speaks for or against the machine speaks against it."""
        return self.blamed >= LEAST_FAILURES and self.blamed >= LEAST_SHARE * (self.blamed + self.results)

    def summary(self) -> str:
        """Return one line, e.g. ``2 results, 4 failures (3 simulator crash, 1 lost)``."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(self.failures).most_common())
        failures = f"{sum(self.failures.values())} failures" + (f" ({kinds})" if kinds else "")
        return f"{self.results} results, {failures}"


def node_health(attempts: Iterable[Attempt]) -> dict[str, NodeHealth]:
    """Count per machine what became of the attempts there, sorted by name; those without outcome count for nothing."""
    by_node: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        if attempt.node:
            by_node[attempt.node].append(attempt)
    return {node: _count(by_node[node]) for node in sorted(by_node)}


def _count(attempts: list[Attempt]) -> NodeHealth:
    outcomes = Counter(attempt.outcome for attempt in attempts if attempt.outcome is not None)
    return NodeHealth(
        results=outcomes.pop(Outcome.RESULT, 0),
        failures=outcomes,
        fingerprints=Counter(attempt.fingerprint for attempt in attempts if attempt.fingerprint),
    )


def bad_nodes(attempts: Iterable[Attempt]) -> tuple[str, ...]:
    """Return the machines to keep work away from, sorted.

    None at all unless another machine is sound and has a result: where everything fails, the machines are not the
    cause, and work must go somewhere.
    """
    health = node_health(attempts)
    failing = tuple(node for node, counts in health.items() if counts.is_failing)
    has_sound = any(counts.results and not counts.is_failing for counts in health.values())
    return failing if has_sound else ()
