"""carla-harness: evaluate driving policies in CARLA with one Makefile."""

__version__ = "0.1.0"
