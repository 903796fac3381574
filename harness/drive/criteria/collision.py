"""Which contacts count: one per accident, and only if the ego was moving.

The client delivers contacts on a thread of its own, at no fixed time after their tick. They are therefore judged by
the tick in which they happened, once the route is over, so that the same drive always gives the same infractions.

Source: CARLA Leaderboard 2.0, CollisionTest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.datatypes.infraction import Infraction, InfractionKind
from harness.datatypes.route import Point
from harness.drive.scene import Ego

SAME_PLACE_M = 5.0
SAME_ACTOR_S = 5.0
STANDING_MPS = 0.1


@dataclass(frozen=True)
class Contact:
    """A contact of the ego, as its collision sensor reports it."""

    frame: int
    other_id: int
    other_type: str


@dataclass(frozen=True)
class Moment:
    """The ego in one frame; `time_s` since the route began."""

    time_s: float
    ego: Ego


def kind_of(other_type: str) -> InfractionKind | None:
    """Return what a contact with an actor of this type is, None if it does not count."""
    if ("static" in other_type or "traffic" in other_type) and "sidewalk" not in other_type:
        return InfractionKind.COLLISION_LAYOUT
    if "vehicle" in other_type:
        return InfractionKind.COLLISION_VEHICLE
    return InfractionKind.COLLISION_PEDESTRIAN if "walker" in other_type else None


def judge(contacts: Iterable[Contact], moments: Mapping[int, Moment]) -> list[Infraction]:
    """Return the contacts that count, in order of time.

    A contact does not count if the ego stands, within 5 m of the last one that counted (until the ego has been further
    away than that), or with the same actor within 5 s.

    Args:
        moments: frame -> ego, for every frame of the route.
    """
    by_frame: dict[int, list[Contact]] = {}
    for contact in contacts:
        by_frame.setdefault(contact.frame, []).append(contact)
    found: list[Infraction] = []
    place: tuple[float, float, float] | None = None
    last_id: int | None = None
    last_time_s = 0.0
    for frame in sorted(moments):
        moment = moments[frame]
        here = (moment.ego.x_m, moment.ego.y_m, moment.ego.z_m)
        if place is not None and math.dist(here, place) > SAME_PLACE_M:
            place = None
        if last_id is not None and moment.time_s - last_time_s > SAME_ACTOR_S:
            last_id = None
        for contact in sorted(by_frame.get(frame, ()), key=lambda item: item.other_id):
            is_known = contact.other_id == last_id or place is not None
            if is_known or moment.ego.speed_mps < STANDING_MPS:
                continue
            place, last_id, last_time_s = here, contact.other_id or last_id, moment.time_s
            kind = kind_of(contact.other_type)
            if kind is not None:
                found.append(_infraction(kind, contact, moment))
    return found


def _infraction(kind: InfractionKind, contact: Contact, moment: Moment) -> Infraction:
    return Infraction(
        kind=kind,
        frame=contact.frame,
        time_s=moment.time_s,
        location_world=Point(moment.ego.x_m, moment.ego.y_m, moment.ego.z_m),
        other_type=contact.other_type,
        other_id=contact.other_id,
    )
