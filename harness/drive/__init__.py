"""Closed loop on the carla client: routes, controllers, forecast, expert and scoring."""
