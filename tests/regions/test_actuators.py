"""Gates in memory, role files, kept tokens and the proof of a write."""

import errno
import json
from pathlib import Path

import pytest

from director.routing.table import RegionId, ServiceId
from director.runtime.files import OsFile, OsFiles
from director.runtime.kept_file import CorruptFileError
from regions.actuators.gate import Gates
from regions.actuators.proof_file import FREE_BYTES_MIN, ProofFile
from regions.actuators.role_file import RoleFile, kernel_boot_id
from regions.actuators.token_file import ForeignDirectoryError, TokenFile
from regions.core.effects import KeptGroup, KeptTokens, SetGate
from regions.core.gate_answer import GateAnswer
from regions.core.ids import FencingToken, GroupId

CHAT = ServiceId("chat")
HOME = RegionId("eu-west1")


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_000

    def __call__(self) -> int:
        return self.now_ms


def an_open_gate(deadline_at_ms: int = 5_000) -> SetGate:
    return SetGate(
        GroupId("chat/0"),
        CHAT,
        is_open=True,
        token=FencingToken(1, 7),
        deadline_at_ms=deadline_at_ms,
        answer_ms=250,
        reason="",
        home=HOME,
    )


def test_an_answer_is_good_for_a_quarter_second_but_not_past_the_lease() -> None:
    clock = Clock()
    gates = Gates([CHAT], clock)
    gates.put(an_open_gate(deadline_at_ms=1_300))

    early, clock.now_ms = gates.check(CHAT), 1_200
    late = gates.check(CHAT)

    assert early == GateAnswer(
        CHAT,
        may_write=True,
        token=FencingToken(1, 7),
        deadline_boottime_ms=1_250,
        reason="",
        home=HOME,
    )
    assert late is not None
    assert late.deadline_boottime_ms == 1_300


def test_a_gate_is_shut_at_its_deadline_although_nobody_shut_it() -> None:
    clock = Clock()
    gates = Gates([CHAT], clock)
    gates.put(an_open_gate(deadline_at_ms=5_000))

    clock.now_ms = 5_000

    assert gates.check(CHAT) == GateAnswer(
        CHAT,
        may_write=False,
        token=None,
        deadline_boottime_ms=0,
        reason="LEASE_ENDED",
        home=HOME,
    )


def test_a_gate_that_was_never_set_is_shut_and_another_service_has_none() -> None:
    gates = Gates([CHAT], Clock())

    answer = gates.check(CHAT)

    assert answer is not None
    assert (answer.may_write, answer.reason) == (False, "NO_OWNER")
    assert gates.check(ServiceId("embed")) is None


def test_the_role_file_says_everything_its_reader_must_compare(tmp_path: Path) -> None:
    file = RoleFile(tmp_path / "role.json", "boot-a")
    answer = Gates([CHAT], Clock())
    answer.put(an_open_gate())
    checked = answer.check(CHAT)
    assert checked is not None

    file.write(checked, now_ms=1_000)

    assert json.loads((tmp_path / "role.json").read_text()) == {
        "service": "chat",
        "role": "active",
        "token": "1.7",
        "generation": 1,
        "epoch": 7,
        "deadline_boottime_ms": 1_250,
        "written_boottime_ms": 1_000,
        "boot_id": "boot-a",
    }
    assert sorted(each.name for each in tmp_path.iterdir()) == ["role.json"]


def test_the_boot_of_this_machine_has_a_name() -> None:
    assert len(kernel_boot_id()) == 36


TOKENS = KeptTokens(
    (
        KeptGroup(GroupId("chat/0"), CHAT, FencingToken(2, 7), HOME, FencingToken(2, 6)),
        KeptGroup(GroupId("pay/0"), ServiceId("pay"), FencingToken(1, 0), None),
    )
)


def a_token_file(path: Path, region: str = "eu-west1") -> TokenFile:
    return TokenFile(path / "tokens", region_id=region, agent_id="a")


def test_tokens_come_back_as_they_were_kept(tmp_path: Path) -> None:
    assert a_token_file(tmp_path).read() == KeptTokens()

    a_token_file(tmp_path).write(TOKENS)

    assert a_token_file(tmp_path).read() == TOKENS


def test_the_tokens_of_another_agent_are_not_taken(tmp_path: Path) -> None:
    a_token_file(tmp_path).write(TOKENS)

    with pytest.raises(ForeignDirectoryError, match="written by agent 'a' of region 'eu-west1'"):
        a_token_file(tmp_path, region="us-east1").read()


def test_every_flipped_bit_of_the_tokens_is_noticed(tmp_path: Path) -> None:
    a_token_file(tmp_path).write(TOKENS)
    path = tmp_path / "tokens"
    good = path.read_bytes()
    for place in range(len(good) * 8):
        bad = bytearray(good)
        bad[place // 8] ^= 1 << place % 8
        path.write_bytes(bytes(bad))
        with pytest.raises(CorruptFileError):
            a_token_file(tmp_path).read()


def test_a_write_is_proved_again_and_again_without_growing(tmp_path: Path) -> None:
    proof = ProofFile(tmp_path / "proof")

    assert all(proof.prove(now_ms=at) for at in (1, 2, 3))
    proof.close()
    again = ProofFile(tmp_path / "proof")
    assert again.prove(now_ms=4)
    again.close()

    assert (tmp_path / "proof").stat().st_size == 8


class BrokenSync(OsFile):
    """A file whose sync fails."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.closed = 0

    def write_at(self, offset: int, content: bytes) -> None:
        del offset, content

    def datasync(self) -> None:
        raise OSError(errno.EIO, "no")

    def close(self) -> None:
        self.closed += 1


class BrokenFiles(OsFiles):
    """A disk that fails to sync."""

    def __init__(self) -> None:
        self.file = BrokenSync()

    def open(self, path: Path, *, create: bool = False) -> BrokenSync:
        del path, create
        return self.file


def test_a_disk_that_cannot_sync_proves_nothing_and_its_file_is_given_up(tmp_path: Path) -> None:
    files = BrokenFiles()

    assert not ProofFile(tmp_path / "proof", files=files).prove(now_ms=1)

    assert files.file.closed == 1


def test_no_proof_without_a_directory(tmp_path: Path) -> None:
    assert not ProofFile(tmp_path / "gone" / "proof").prove(now_ms=1)


def test_no_proof_on_a_full_disk_although_it_takes_bytes_in_place(tmp_path: Path) -> None:
    room = [FREE_BYTES_MIN]
    proof = ProofFile(tmp_path / "proof", free=lambda _: room[0])

    assert proof.prove(now_ms=1)
    room[0] = 0
    assert not proof.prove(now_ms=2)
    room[0] = FREE_BYTES_MIN
    assert proof.prove(now_ms=3)
