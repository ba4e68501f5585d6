"""Pacing of a host: timeouts and frame sizes, from the behaviour of the wire."""

from __future__ import annotations

__all__ = [
    "FIRST_TIMEOUT",
    "LEAST_PAYLOAD",
    "LEAST_TIMEOUT",
    "LONGEST_TIMEOUT",
    "MOST_BACKOFF",
    "PAYLOAD_SAMPLE",
    "PayloadLimit",
    "RetryTimeout",
]

#: Seconds until the first retry while no round trip has been measured, and the least later on.
FIRST_TIMEOUT, LEAST_TIMEOUT = 0.5, 0.02
#: A timeout is never longer: a board that comes back is found soon.
LONGEST_TIMEOUT = 2.0
#: A timeout grows with each that fails, up to so many times the measured one: no other traffic is in the way.
MOST_BACKOFF = 8
#: Payloads are halved where more frames than one arrived damaged while so many requests were answered, and
#: doubled where none did; they are never limited to less.
PAYLOAD_SAMPLE, LEAST_PAYLOAD = 16, 24


class RetryTimeout:
    """When a request counts as lost, from smoothed round trips and their variation (RFC 6298).

    Members
    -------
    seconds : as it is now
    """

    def __init__(self) -> None:
        self.seconds = self._measured = FIRST_TIMEOUT
        self._round_trip: float | None = None
        self._variation = 0.0

    def measure(self, seconds: float) -> None:
        """Take the round trip of a request that was sent once."""
        if self._round_trip is None:
            self._round_trip, self._variation = seconds, seconds / 2
        else:
            self._variation += (abs(self._round_trip - seconds) - self._variation) / 4
            self._round_trip += (seconds - self._round_trip) / 8
        wanted = self._round_trip + max(4 * self._variation, LEAST_TIMEOUT)
        self.seconds = self._measured = min(wanted, LONGEST_TIMEOUT)

    def back_off(self) -> None:
        """Wait longer after a request that was lost."""
        self.seconds = min(2 * self.seconds, MOST_BACKOFF * self._measured, LONGEST_TIMEOUT)


class PayloadLimit:
    """Shorter frames where many are damaged, longer ones where none is.

    Frames that are lost or late as a whole, as on a network, do not count: shorter ones would fare no better.

    Parameters
    ----------
    most : bytes of a payload that the board takes

    Members
    -------
    bytes : of a payload that suit the wire as it is now
    most : bytes that the board takes
    """

    def __init__(self, most: int) -> None:
        self.bytes = self.most = most
        self._answered = self._damaged = 0  # since it was last judged

    def damaged(self) -> None:
        """A frame has arrived damaged, on one side or the other."""
        self._damaged += 1

    def judge(self) -> None:
        """Take a request that was answered."""
        self._answered += 1
        if self._answered == PAYLOAD_SAMPLE:
            if self._damaged > 1:
                self.bytes = max(self.bytes // 2, LEAST_PAYLOAD)
            elif not self._damaged:
                self.bytes = min(self.bytes * 2, self.most)
            self._answered = self._damaged = 0
