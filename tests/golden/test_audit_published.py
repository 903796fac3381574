"""The audit on every published record: all but one route are explained by the rules they were made with."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.metrics.audit import audit
from harness.metrics.rules import RuleVersion
from tests.golden.published import UNEXPLAINED, published_records, scored

LB20, FAIL2DRIVE = RuleVersion.LEADERBOARD_20, RuleVersion.FAIL2DRIVE


@pytest.mark.parametrize(
    ("below", "count", "version", "fits"),
    [
        ("fail2drive/TFv6", 600, FAIL2DRIVE, (LB20, FAIL2DRIVE)),
        ("fail2drive/BridgeDrive", 600, FAIL2DRIVE, (LB20, FAIL2DRIVE)),
        ("fail2drive/BevAD", 600, FAIL2DRIVE, (LB20, FAIL2DRIVE)),
        ("bench2drive", 1732, RuleVersion.BENCH2DRIVE, (RuleVersion.BENCH2DRIVE,)),
    ],
)
def test_penalties_are_those_of_their_sentences(
    harness_data: Path, below: str, count: int, version: RuleVersion, fits: tuple[RuleVersion, ...]
) -> None:
    records = list(published_records(harness_data / "results", below))
    report = audit(scored(record) for _, record in records)
    assert (len(report.audits), report.unreadable) == (count, ())
    assert report.best_fits == fits
    files = [name for name, _ in records]
    found = [(name, each.route.route_id) for name, each in zip(files, report.audits, strict=True) if not each.fits]
    assert found == [place for place in UNEXPLAINED if place[0].startswith(below)]
    assert [(each.route.route_id, each.fits) for each in report.mismatches(version)] == [(id_, ()) for _, id_ in found]
    # What is left is the rounding of the sentences: two decimals of a percentage.
    assert max(abs(each.route.penalty - each.expected[version]) for each in report.audits if each.fits) < 5e-5


def test_other_rules_do_not_explain_them(harness_data: Path) -> None:
    """Were every version to fit, the audit could not tell them apart."""
    fail2drive = audit(scored(record) for _, record in published_records(harness_data / "results", "fail2drive"))
    assert fail2drive.fit_counts == {
        RuleVersion.LEADERBOARD_20: 1800,
        RuleVersion.LEADERBOARD_21: 568,
        RuleVersion.BENCH2DRIVE: 634,
        RuleVersion.FAIL2DRIVE: 1800,
    }
