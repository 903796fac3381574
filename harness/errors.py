"""Every error a user can act on.

    HarnessError            exit 1
      ConfigError           exit 2   a value the user typed or wrote in a file
        RouteError          exit 2   a route file, route id, suite or town
      SimError              exit 1   the simulator did not do what we asked
        WireError           exit 1   the peer sent bytes that break the protocol
      AgentError            exit 1   the agent file cannot be loaded
        SensorError         exit 1   the agent asks for a sensor that is not there
      JobError              exit 1   a process or scheduler job ended badly
    Interrupted             no error: the process was told to end

The text follows one pattern: what failed, value found, value expected; the hint is what to type next.
The command line prints one line without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

EXIT_COMPLETE = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_PARTIAL = 3
# Of the job entry point only: the simulator failed, not the drive.
EXIT_SIMULATOR = 70


class HarnessError(Exception):
    """Base of every error the user can act on."""

    exit_code = EXIT_ERROR

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(HarnessError):
    """A setting that the user gave is wrong."""

    exit_code = EXIT_USAGE


class RouteError(ConfigError):
    """A route file, route id, suite or town is missing or malformed."""


class SimError(HarnessError):
    """The simulator did not answer, did not start or broke its promise."""


class WireError(SimError):
    """The peer sent bytes that break the protocol."""


class AgentError(HarnessError):
    """An agent file cannot be loaded or does not have the agent interface."""


class SensorError(AgentError):
    """The agent asks for a sensor that this version does not have."""


class Interrupted(BaseException):
    """The process was told to end (SIGTERM); no `except Exception` may swallow it."""


class JobError(HarnessError):
    """A process or scheduler job ended badly."""
