"""What one probe found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """The result of one probe.

    Attributes:
        passed: The endpoint did what was expected, in time.
        detail: For people: what it did instead; "" when it passed.
        rtt_us: Time to connect in microseconds; None if it never did, or there is no connection.
    """

    passed: bool
    detail: str = ""
    rtt_us: int | None = None
