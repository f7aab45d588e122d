"""Every reason has a status and a line in the documentation; nothing is documented that is not."""

import re
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from director.api.errors import STATUS_BY_REASON, reason_of, to_status
from director.client.errors import PositionError
from director.client.errors import RefusedError as ClientRefusedError
from director.core.reasons import Reason
from director.routing.table import RefusalReason
from director.service import errors

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"


def documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([A-Z_]+) \|", DOCUMENT.read_text(), re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_the_status_that_the_documentation_gives_it(reason: Reason) -> None:
    assert documented()[reason.value] == STATUS_BY_REASON[reason].name


def test_the_documentation_names_no_reason_that_does_not_exist() -> None:
    assert set(documented()) == {reason.value for reason in Reason}


@pytest.mark.parametrize("word", RefusalReason)
def test_every_refusal_of_the_route_table_is_a_reason(word: RefusalReason) -> None:
    assert reason_of(ClientRefusedError(word.value, "no")) is not Reason.INTERNAL


def details_of(status: grpc.Status) -> dict[str, object]:
    trailers = dict(status.trailing_metadata or ())
    decoded = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    found: dict[str, object] = {}
    for detail in decoded.details:
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.BadRequest,
            error_details_pb2.RetryInfo,
        ):
            message = kind()
            if detail.Is(kind.DESCRIPTOR):
                detail.Unpack(message)
                found[kind.DESCRIPTOR.name] = message
    return found


def test_an_error_carries_its_reason_its_values_and_when_to_try_again() -> None:
    status = to_status(errors.NoLeaderError("nobody leads", replicaId="d1"))

    details = details_of(status)
    info = details["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (status.code, status.details) == (grpc.StatusCode.UNAVAILABLE, "nobody leads")
    assert (info.reason, info.domain) == ("NO_LEADER", "trafficdirector")
    assert dict(info.metadata) == {"replicaId": "d1"}
    retry = details["RetryInfo"]
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToMilliseconds() == 500


def test_an_error_about_a_field_names_it() -> None:
    details = details_of(to_status(PositionError("location.lat", "is nan")))

    bad = details["BadRequest"]
    assert isinstance(bad, error_details_pb2.BadRequest)
    assert [each.field for each in bad.field_violations] == ["location.lat"]


def test_a_long_value_does_not_overflow_the_trailer() -> None:
    status = to_status(errors.OutcomeUnknownError("x" * 100_000, requestId="y" * 100_000))

    trailers = dict(status.trailing_metadata or ())
    assert len(trailers["grpc-status-details-bin"]) < 8 * 1_024
