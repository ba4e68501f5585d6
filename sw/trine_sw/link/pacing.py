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
#: Payloads are halved where more than a quarter of so many requests had to be sent again, and doubled where
#: none had; they are never limited to less.
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
        self._answered = self._repeated = 0  # requests since it was last judged

    def judge(self, repeated: bool) -> None:
        """Take a request that was answered, after it was sent once or ``repeated``."""
        self._answered += 1
        self._repeated += repeated
        if self._answered == PAYLOAD_SAMPLE:
            if self._repeated > PAYLOAD_SAMPLE // 4:
                self.bytes = max(self.bytes // 2, LEAST_PAYLOAD)
            elif not self._repeated:
                self.bytes = min(self.bytes * 2, self.most)
            self._answered = self._repeated = 0
