"""``score_penalty`` recomputed from the sentences of a record, under every rule version.

A mismatch is either damage (a score that its own events do not explain) or another rule version than was said; which
versions do explain the score tells the two apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.datatypes.scored_route import ScoredRoute
from harness.errors import HarnessError
from harness.metrics import rules
from harness.metrics.rules import RuleVersion
from harness.metrics.sentences import read_messages

#: Sentences print percentages with two decimals, which moves a penalty by up to 5e-5 per sentence.
TOLERANCE: Final = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class PenaltyAudit:
    """One route's penalty beside what its sentences say.

    Attributes:
        route: the record, its ``penalty`` as found in the file.
        expected: penalty by the sentences, 0 to 1, by rule version.
        fits: rule versions that give the penalty of the file within `TOLERANCE`, in the order of `RuleVersion`.
    """

    route: ScoredRoute
    expected: Mapping[RuleVersion, float]
    fits: tuple[RuleVersion, ...]

    @property
    def is_telling(self) -> bool:
        """Whether the versions expect different penalties."""
        return max(self.expected.values()) - min(self.expected.values()) > TOLERANCE


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """The audits of a set of routes, in the order given.

    Attributes:
        audits: one per route whose sentences could be read.
        unreadable: the other routes, each with the reason.
    """

    audits: tuple[PenaltyAudit, ...]
    unreadable: tuple[tuple[ScoredRoute, str], ...]

    @property
    def telling(self) -> tuple[PenaltyAudit, ...]:
        """The routes whose penalty depends on the rules."""
        return tuple(audit for audit in self.audits if audit.is_telling)

    def mismatches(self, version: RuleVersion) -> tuple[PenaltyAudit, ...]:
        """Return the routes whose penalty a rule version does not explain."""
        return tuple(audit for audit in self.audits if version not in audit.fits)

    @property
    def fit_counts(self) -> dict[RuleVersion, int]:
        """Number of routes that each rule version explains."""
        return _fit_counts(self.audits)

    @property
    def telling_fit_counts(self) -> dict[RuleVersion, int]:
        """The same of those that tell."""
        return _fit_counts(self.telling)

    @property
    def best_fits(self) -> tuple[RuleVersion, ...]:
        """Rule versions that explain the most routes among those that tell; several where nothing tells them apart."""
        counts = self.telling_fit_counts if self.telling else self.fit_counts
        most = max(counts.values())
        return tuple(version for version, count in counts.items() if count == most > 0)


def _fit_counts(audits: Sequence[PenaltyAudit]) -> dict[RuleVersion, int]:
    return {version: sum(version in audit.fits for audit in audits) for version in RuleVersion}


def joined(reports: Iterable[AuditReport]) -> AuditReport:
    """Return several audits as one."""
    parts = list(reports)
    return AuditReport(
        audits=tuple(audit for part in parts for audit in part.audits),
        unreadable=tuple(each for part in parts for each in part.unreadable),
    )


def audit_route(route: ScoredRoute) -> PenaltyAudit:
    """Recompute the penalty of one route.

    Raises:
        HarnessError: a sentence or a key of the record is not known; the text holds route and sentence.
    """
    try:
        facts = read_messages(route.messages)
    except HarnessError as error:
        raise HarnessError(f"record {route.route_id}: {error.message}") from error
    expected = {version: rules.penalty(facts, version) for version in RuleVersion}
    fits = tuple(version for version, value in expected.items() if abs(route.penalty - value) <= TOLERANCE)
    return PenaltyAudit(route=route, expected=expected, fits=fits)


def audit(routes: Iterable[ScoredRoute]) -> AuditReport:
    """Recompute the penalties of many routes; what cannot be read is listed, not skipped."""
    audits: list[PenaltyAudit] = []
    unreadable: list[tuple[ScoredRoute, str]] = []
    for route in routes:
        try:
            audits.append(audit_route(route))
        except HarnessError as error:
            unreadable.append((route, error.message))
    return AuditReport(audits=tuple(audits), unreadable=tuple(unreadable))
