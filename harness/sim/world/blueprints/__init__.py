"""What can be spawned: the vehicles, walkers, props and sensors of CARLA 0.9.16 that really work here.

What is not built is not in the library: no cameras, no LiDAR, no radar. Ids, attributes, recommended values and the
classes of the vehicles are those of CARLA's blueprint library and catalogues; box sizes are those of CARLA's models
(half sizes as `actor.bounding_box.extent` reports them).
"""

from __future__ import annotations

from harness.sim.world.blueprints.blueprint import Attribute, AttributeType, Blueprint, SemanticTag
from harness.sim.world.blueprints.props import PROPS
from harness.sim.world.blueprints.sensors import SENSORS
from harness.sim.world.blueprints.vehicles import VEHICLES
from harness.sim.world.blueprints.walkers import WALKERS

__all__ = ["LIBRARY", "Attribute", "AttributeType", "Blueprint", "SemanticTag"]

LIBRARY: dict[str, Blueprint] = {blueprint.type_id: blueprint for blueprint in (*VEHICLES, *WALKERS, *PROPS, *SENSORS)}
