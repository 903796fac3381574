"""What a sentence tells, as the infraction that it was written of."""

from __future__ import annotations

from harness.datatypes.infraction import ORIGIN, Infraction
from harness.metrics.sentences import SentenceFacts


def as_infraction(facts: SentenceFacts) -> Infraction:
    """Return the infraction that a sentence tells of; what it does not state has the default."""
    return Infraction(
        kind=facts.kind,
        location_world=ORIGIN if facts.location_world is None else facts.location_world,
        other_type=facts.other_type,
        other_id=-1 if facts.other_id is None else facts.other_id,
        percentage=facts.percentage,
        distance_m=facts.distance_m,
    )
