"""Sensors that are attached to actors: the state of the world in, readings out. No clock, no socket, no message."""
