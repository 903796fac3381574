"""The sockets around the simulation: one thread, one event loop, an RPC port and a streaming port.

Everything that happens to the world happens inside a call, in the order in which calls arrive; in synchronous mode the
world steps inside `tick_cue`, and the frame is on its way before the answer is.
"""

from harness.sim.server.limits import STREAM_WAIT_S
from harness.sim.server.service import SimulatorServer, run_server

__all__ = ["STREAM_WAIT_S", "SimulatorServer", "run_server"]
