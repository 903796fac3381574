"""What the simulator says to its log about clients: each thing once, so that no client can fill the log."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

# A client that makes names up must not fill the log; failures of our own are as many as our calls and always said.
_MOST_SUBJECTS = 200


class Complaints:
    """Remembers what was said."""

    def __init__(self) -> None:
        self._said: set[tuple[str, bool]] = set()

    def log_once(self, subject: str, what: str, *, with_traceback: bool = False, is_ours: bool = False) -> None:
        """Log a complaint; of each kind only the first.

        Args:
            subject: name of the call or command; with `with_traceback` one of ours, never a client's word.
            is_ours: the subject is one of a few of our own and always said, whatever names clients have made up.
        """
        if (subject, with_traceback) in self._said:
            return
        if with_traceback or is_ours or len(self._said) < _MOST_SUBJECTS:
            self._said.add((subject, with_traceback))
            log.warning("%s %s (said once)", subject, what, exc_info=with_traceback)
