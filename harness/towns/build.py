"""Write the towns of this package as OpenDRIVE 1.4 files, byte for byte the same on every run."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

from harness.jobs.publish import publish_text
from harness.towns.borough import BOROUGH
from harness.towns.grid import GRID
from harness.towns.highland import HIGHLAND
from harness.towns.layout import Town
from harness.towns.network import Network, lay_out
from harness.towns.roads import corner_road, junction_table, street_road, turn_road
from harness.towns.signals import Controller, Furniture, furnish

if TYPE_CHECKING:
    from scenariogeneration import xodr

TOWNS: tuple[Town, ...] = (BOROUGH, GRID, HIGHLAND)
GEO_REFERENCE = "+proj=tmerc +lat_0=0 +lon_0=0 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +vunits=m +no_defs"
DECIMALS = 8  # hides the last bits in which math libraries differ; 1e-8 rad over 500 m are 5 micrometres
NUMBER = re.compile(r"-?\d+\.\d*(e[+-]?\d+)?|-?\d+e[+-]?\d+")


def build_towns(folder: Path) -> list[Path]:
    """Write every town to `folder` and return the paths.

    A file is replaced in one step, and only its content depends on the program: no dates, fixed number formatting.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for town in TOWNS:
        path = folder / f"{town.name}.xodr"
        publish_text(path, town_xml(town))
        paths.append(path)
    return paths


def town_xml(town: Town) -> str:
    """Return the OpenDRIVE file of a town."""
    from scenariogeneration import xodr

    network = lay_out(town)
    furniture = furnish(network)
    file = xodr.OpenDrive(town.name, revMinor="4", geo_reference=GEO_REFERENCE)
    for road in _roads(network, furniture):
        file.add_road(road)
    for junction in network.junctions.values():
        file.add_junction(junction_table(junction))
    root = file.get_element()
    _finish(root, furniture.controllers)
    ET.indent(root, "  ")
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _roads(network: Network, furniture: Furniture) -> list[xodr.Road]:
    roads = [street_road(network, name) for name in network.town.streets]
    for junction in network.junctions.values():
        roads += [turn_road(junction, turn) for turn in junction.turns]
        roads += [corner_road(junction, corner) for corner in junction.corners]
    for road in roads:
        # not through add_signal and add_object: they renumber what has been seen before in this process
        road.signals.extend(furniture.signals.get(road.id, ()))
        road.objects.extend(furniture.crosswalks.get(road.id, ()))
    return roads


def _finish(root: ET.Element, controllers: list[Controller]) -> None:
    """Turn what the package writes into what CARLA reads, with nothing in it that changes from run to run."""
    header = root.find("header")
    assert header is not None
    for key in ("date", "north", "south", "east", "west"):  # the package writes the present time, and zeros
        del header.attrib[key]
    for signal in root.iter("signal"):
        signal.set("country", "OpenDRIVE")  # the package writes it in capitals
        is_speed_limit = "unit" in signal.attrib
        signal.set("text", str(int(float(signal.get("value", "0")))) if is_speed_limit else "")
        signal.attrib.setdefault("value", "-1.0")
    for crosswalk in root.iter("object"):
        wrapper = crosswalk.find("outlines")  # OpenDRIVE 1.5; CARLA reads the outline of 1.4
        assert wrapper is not None
        crosswalk.remove(wrapper)
        crosswalk.extend(list(wrapper))
    _add_controllers(root, controllers)
    for element in root.iter():
        element.attrib.update({key: _fixed(value) for key, value in element.attrib.items()})


def _add_controllers(root: ET.Element, controllers: list[Controller]) -> None:
    """Add `<controller>` elements before the junctions, and refer to them from there."""
    place = next(index for index, element in enumerate(root) if element.tag == "junction")
    junctions = {element.get("id"): element for element in root.iter("junction")}
    for offset, controller in enumerate(controllers):
        number, sequence = str(controller.controller_id), str(controller.sequence)
        element = ET.Element("controller", {"name": f"ctrl{number}", "id": number, "sequence": sequence})
        for signal_id in controller.signal_ids:
            ET.SubElement(element, "control", {"signalId": str(signal_id), "type": ""})
        root.insert(place + offset, element)
        reference = {"id": number, "type": "0", "sequence": sequence}
        ET.SubElement(junctions[str(controller.junction_id)], "controller", reference)


def _fixed(text: str) -> str:
    """Return a decimal number with a fixed count of decimals and without a negative zero; other text as it is."""
    if not NUMBER.fullmatch(text):
        return text
    number = f"{float(text):.{DECIMALS}f}"
    return number.lstrip("-") if float(number) == 0.0 else number
