"""Draws a scene from above with carla-birdeye-view; prints what it drew as one line of JSON.

usage: draw_birdview.py PORT PICTURE
"""

import json
import sys

import carla
import cv2
from carla_birdeye_view import BirdView, BirdViewCropType, BirdViewMasks, BirdViewProducer, PixelDimensions

port, picture = int(sys.argv[1]), sys.argv[2]
client = carla.Client("127.0.0.1", port)
client.set_timeout(60.0)
world = client.get_world()
settings = world.get_settings()
settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
world.apply_settings(settings)
library = world.get_blueprint_library()
start = next(p for p in world.get_map().get_spawn_points() if world.get_map().get_waypoint(p.location).next(60.0))
places = [world.get_map().get_waypoint(start.location), *(world.get_map().get_waypoint(start.location).next(12.0))]
cars = []
for place in places[:2]:
    pose = place.transform
    pose.location.z += 0.5
    cars.append(world.spawn_actor(library.find("vehicle.tesla.model3"), pose))
beside = places[0].transform
beside.location += 6.0 * beside.get_right_vector() + carla.Location(z=1.0)
walker = world.spawn_actor(library.filter("walker.pedestrian.*")[0], beside)
for _ in range(20):
    world.tick()
producer = BirdViewProducer(
    client,
    PixelDimensions(width=300, height=300),
    pixels_per_meter=6,
    crop_type=BirdViewCropType.FRONT_AND_REAR_AREA,
)
view: BirdView = producer.produce(agent_vehicle=cars[0])
cv2.imwrite(picture, cv2.cvtColor(BirdViewProducer.as_rgb(view), cv2.COLOR_RGB2BGR))
drawn = {mask.name: int((view[mask] > 0).sum()) for mask in BirdViewMasks}
for actor in (*cars, walker):
    actor.destroy()
print(json.dumps(drawn))
