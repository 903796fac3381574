"""`sensor.other.gnss`: latitude, longitude and altitude through the town's georeference.

The conversion is the client's own, `carla.Map.transform_to_geolocation`, in whose version 0.9.16 the latitude grows
with y. It depends on the georeference in the header of the town file alone, so that a map without roads does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from harness.sim.sensors.noise import Noise

# The header comes first; Town13 has 89 million characters.
_CHUNK_CHARACTERS = 4096
_PATH = ["OpenDRIVE", "header", "geoReference"]
_DEVIATIONS = ("noise_lat_stddev", "noise_lon_stddev", "noise_alt_stddev")
_BIASES = ("noise_lat_bias", "noise_lon_bias", "noise_alt_bias")


@dataclass(frozen=True)
class GnssFix:
    """Degrees and metres."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float


def read_georeference(opendrive: str) -> str:
    """Return the georeference in the header of a text that `carla.Map` has read, "" if there is none."""
    path: list[str] = []
    found: list[str] = []
    is_over = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        path.append(tag)

    def end(tag: str) -> None:
        nonlocal is_over
        is_over = is_over or path == ["OpenDRIVE", "header"] or path == _PATH
        path.pop()

    def read(text: str) -> None:
        if path == _PATH and not is_over:
            found.append(text)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, read
    for at in range(0, len(opendrive), _CHUNK_CHARACTERS):
        parser.Parse(opendrive[at : at + _CHUNK_CHARACTERS].encode(errors="replace"), False)
        if is_over:
            break
    return "".join(found).strip()


class GeoReference:
    """Turns places of a town into places on earth."""

    def __init__(self, opendrive: str) -> None:
        import carla

        text = read_georeference(opendrive)
        header = f"<header><geoReference>{escape(text)}</geoReference></header>" if text else "<header/>"
        self._map: Any = carla.Map("georeference", f'<?xml version="1.0"?><OpenDRIVE>{header}</OpenDRIVE>')
        self._location = carla.Location

    def locate(self, x_m: float, y_m: float, z_m: float) -> GnssFix:
        """Return where a place in the world frame lies."""
        place = self._map.transform_to_geolocation(self._location(x_m, y_m, z_m))
        return GnssFix(place.latitude, place.longitude, place.altitude)


class Gnss:
    """One sensor; noise and bias are added in degrees and metres."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self._noise = Noise(attributes, _DEVIATIONS, _BIASES)

    def read(self, reference: GeoReference, place_m: tuple[float, float, float], tick: int) -> GnssFix:
        """Return the fix at a place in the world frame."""
        fix = reference.locate(*place_m)
        latitude, longitude, altitude = self._noise.at(tick).tolist()
        return GnssFix(fix.latitude_deg + latitude, fix.longitude_deg + longitude, fix.altitude_m + altitude)
