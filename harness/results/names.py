"""What names tell: route, repetition and seed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_LEADERBOARD_ID: Final = re.compile(r"RouteScenario_(.+?)(?:_rep(\d{1,9}))?", re.DOTALL)
# Evaluators for Fail2Drive that name the route after its file, with digits of their own behind a dash.
_FAIL2DRIVE_ID: Final = re.compile(r"(?:Base|Generalization)_[A-Za-z0-9]+_(\d{4})(?:-[0-9A-Za-z]+)?")
_NAMED_SEED: Final = re.compile(r"(?:^|[^a-z0-9])seed[_\-.=]?(\d{1,9})(?![a-z0-9])", re.IGNORECASE)
# Folders that carla_garage's evaluate_routes_slurm.py makes: <experiment>_<benchmark>_e<seed>_model_<epoch>.
_GARAGE_SEED: Final = re.compile(r".+_e(\d{1,3})_model_\d{1,9}", re.ASCII | re.DOTALL)
_NUMBER: Final = re.compile(r"[0-9]{1,3}")
_DIGITS: Final = re.compile(r"(\d+)", re.ASCII)


def route_of(route_id: str) -> tuple[str, int]:
    """Return XML id and repetition from a record's route id.

    ``RouteScenario_<xml id>_rep<k>`` is the Leaderboard's form. Fail2Drive files by BevAD name the file of the route,
    whose four digits are the id of the route in it. Any other text is taken as the id itself.
    """
    if found := _LEADERBOARD_ID.fullmatch(route_id):
        return found[1], int(found[2] or 0)
    if found := _FAIL2DRIVE_ID.fullmatch(route_id):
        return str(int(found[1])), 0
    return route_id, 0


def named_seed(parts: Sequence[str]) -> int | None:
    """Return the seed that the innermost part naming one tells: ``seed1``, ``mini_seed1``, ``x_e1_model_0030``."""
    for part in reversed(parts):
        if found := _NAMED_SEED.search(part) or _GARAGE_SEED.fullmatch(part):
            return int(found[1])
    return None


def numbered_folder(folders: Sequence[str]) -> int | None:
    """Return the place of the innermost folder whose name is a number of up to three digits."""
    for place in range(len(folders) - 1, -1, -1):
        if _NUMBER.fullmatch(folders[place]):
            return place
    return None


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts ``2`` before ``10``."""
    parts = _DIGITS.split(name)
    return tuple((0, int(part[:4000]), part) if part.isdecimal() else (1, 0, part) for part in parts if part)
