"""Runs a Scenic program against a server; prints how the simulation ended as one line of JSON.

usage: drive_scenic.py PROGRAM MAP TOWN PORT STEPS
"""

import json
import random
import sys

import numpy
import scenic

program, opendrive, town, port, steps = sys.argv[1:]
random.seed(4)
numpy.random.seed(4)
scenario = scenic.scenarioFromFile(
    program,
    params={"map": opendrive, "carla_map": town, "port": int(port), "render": 0, "weather": "ClearNoon", "timeout": 60},
    mode2D=True,
)
scene, _ = scenario.generate(maxIterations=20000)
simulator = scenario.getSimulator()
simulation = simulator.simulate(scene, maxSteps=int(steps), maxIterations=1, raiseGuardViolations=True)
if simulation is None:
    print(json.dumps({"ended": "rejected"}))
else:
    result = simulation.result
    records = {name: value for name, value in result.records.items() if isinstance(value, (int, float))}
    print(json.dumps({"ended": result.terminationType.name, "steps": len(result.trajectory), **records}))
simulator.destroy()
