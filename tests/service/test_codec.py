"""Commands and states survive the log; whatever cannot be read in full stops the replica."""

import random
import zlib
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from director.consensus.port import PAYLOAD_BYTES_MAX
from director.core.commands import (
    ApplyManifest,
    Command,
    SetOverride,
    SetRegionDrained,
    Stamp,
)
from director.core.state import State
from director.core.topology import Topology
from director.routing.table import Location, Override, RegionId, ServiceId
from director.service.codec import (
    CODEC_VERSION,
    decode_command,
    decode_state,
    encode_command,
    encode_state,
)
from director.service.errors import CommandTooLargeError, UnknownEntryError
from trafficdirector.log.v1 import log_pb2

_INTS = st.integers(-(2**63), 2**63 - 1)
_TEXT = st.text(max_size=6)

st.register_type_strategy(int, _INTS)
st.register_type_strategy(str, _TEXT)
st.register_type_strategy(Location, st.builds(Location, st.floats(-90, 90), st.floats(-180, 180)))


def _commands() -> st.SearchStrategy[Any]:
    return st.one_of(*(st.from_type(kind) for kind in get_args(Command)))


RELAXED = settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@RELAXED
@given(_commands())
def test_every_command_survives_the_log(command: Command) -> None:
    assert decode_command(encode_command(command), index=1) == command


@RELAXED
@given(st.from_type(State))
def test_every_state_survives_a_snapshot(state: State) -> None:
    assert decode_state(encode_state(state)) == state


def test_a_state_encodes_to_the_same_bytes_whatever_the_order_of_its_mappings() -> None:
    forwards = {(ServiceId("a"), RegionId("x")): Override.FORCE_UP}
    backwards = {(ServiceId("b"), RegionId("x")): Override.FORCE_DOWN}

    one = encode_state(State(overrides={**forwards, **backwards}))
    other = encode_state(State(overrides={**backwards, **forwards}))

    assert one == other


def test_an_entry_is_never_empty_so_that_it_is_not_taken_for_the_engines_own() -> None:
    assert encode_command(SetRegionDrained(Stamp(0), RegionId(""), drained=False)) != b""


def a_command() -> SetOverride:
    return SetOverride(Stamp(5), ServiceId("chat"), RegionId("eu"), Override.FORCE_DOWN)


def _entry(command: Command) -> log_pb2.LogEntry:
    return log_pb2.LogEntry.FromString(encode_command(command)[1:])


def test_an_entry_without_a_known_command_stops_the_replica() -> None:
    payload = b"\x01" + log_pb2.LogEntry(version=CODEC_VERSION).SerializeToString()

    with pytest.raises(UnknownEntryError, match="entry 12 holds no command"):
        decode_command(payload, index=12)


def test_an_entry_of_a_later_version_stops_the_replica() -> None:
    entry = _entry(a_command())
    entry.version = CODEC_VERSION + 1

    with pytest.raises(UnknownEntryError, match=f"needs version {CODEC_VERSION + 1}"):
        decode_command(b"\x01" + entry.SerializeToString(), index=1)


def test_a_field_of_a_later_release_deep_inside_stops_the_replica() -> None:
    entry = _entry(a_command())
    # Field 99 of the stamp, a varint: what a later release might have added.
    stamp = entry.set_override.stamp.SerializeToString() + b"\x98\x06\x01"
    entry.set_override.stamp.ParseFromString(stamp)

    with pytest.raises(UnknownEntryError, match="fields that this release does not know"):
        decode_command(b"\x01" + entry.SerializeToString(), index=1)


def test_a_word_of_a_later_release_stops_the_replica() -> None:
    entry = _entry(a_command())
    entry.set_override.override = "FORCE_MAYBE"

    with pytest.raises(UnknownEntryError, match="FORCE_MAYBE"):
        decode_command(b"\x01" + entry.SerializeToString(), index=1)


def test_a_missing_part_stops_the_replica() -> None:
    entry = _entry(a_command())
    entry.set_override.ClearField("stamp")

    with pytest.raises(UnknownEntryError, match="stamp is missing"):
        decode_command(b"\x01" + entry.SerializeToString(), index=1)


@given(st.binary(min_size=1, max_size=64))
def test_noise_is_read_in_full_or_refused_and_nothing_else(payload: bytes) -> None:
    try:
        command = decode_command(payload, index=1)
    except UnknownEntryError:
        return
    assert decode_command(encode_command(command), index=1) == command


def test_a_deflated_entry_that_would_fill_the_memory_is_refused() -> None:
    bomb = b"\x02" + zlib.compress(bytes(65 << 20), level=9)

    with pytest.raises(UnknownEntryError, match="longer than"):
        decode_command(bomb, index=1)


def test_documents_of_the_largest_size_fit_into_one_entry_because_text_deflates() -> None:
    source = "".join(f"- {{name: service-{n}}}\n" for n in range(40_000))[: 1 << 20]
    command = ApplyManifest(Stamp(1), Topology(), source)

    payload = encode_command(command)

    assert len(payload) < PAYLOAD_BYTES_MAX / 4
    assert decode_command(payload, index=1) == command


def test_a_command_that_fits_into_no_entry_is_refused_with_its_size() -> None:
    rng = random.Random(1)
    noise = "".join(chr(rng.randrange(32, 0xD000)) for _ in range(800_000))

    with pytest.raises(CommandTooLargeError) as raised:
        encode_command(ApplyManifest(Stamp(1), Topology(), noise))

    assert int(raised.value.metadata["entryBytes"]) > PAYLOAD_BYTES_MAX
