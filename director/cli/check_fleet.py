"""Rules about the directors: do they answer, agree, and keep their certificates and clocks?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.cli.findings import Finding, fail, ok, warn
from director.cli.words import plural, seconds
from director.runtime.durations import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.cli.check_facts import Facts, SeenReplica
    from trafficdirector.admin.v1 import admin_pb2 as admin

VOTERS_MIN = 3
# A follower this far behind would need a snapshot; the log keeps a margin of some thousand.
BEHIND_ENTRIES_MAX = 1_000
# Wall clocks decide nothing that must be safe; they date the audit trail and end certificates.
CLOCKS_APART_WARN_MS = 1_000
CLOCKS_APART_FAIL_MS = 60_000
# Below this nobody has time to find out why a certificate is not renewed.
LEAF_LEFT_MIN_MS = 900_000
CA_LEFT_MIN_MS = 3_600_000


def connectivity(facts: Facts) -> Iterator[Finding]:
    """Does every replica answer for itself?"""
    well = [each for each in facts.replicas if each.status is not None]
    for each in facts.replicas:
        if each.status is None:
            where = f" at {each.address}" if each.address else ""
            hint = (
                f"start it, or look at the network; `director cluster remove {each.replica_id}` "
                "if it is gone for good"
            )
            message = f"{each.replica_id} does not answer{where}: {each.said}"
            yield fail("connectivity", message, hint)
    if well:
        slowest_ms = max(each.answered_in_ms for each in well)
        yield ok("connectivity", f"{_names(well)} answer within {slowest_ms} ms")


def quorum(facts: Facts) -> Iterator[Finding]:
    """Is there a leader, and could a replica be lost?"""
    status = facts.status
    for each in facts.replicas:
        if each.status is not None and each.status.write_failure:
            message = f"{each.replica_id} can write nothing: {each.status.write_failure}"
            yield fail("quorum", message, "free space or look at its disk, then restart it")
    if not status.leader_id:
        hint = "start the replicas that do not answer, or heal the network between them"
        yield fail("quorum", f"no leader, as {status.replica_id} sees it", hint)
        return
    if not status.is_fresh:
        message = f"the view of {status.replica_id} is {seconds(status.view_age_ms)} old"
        yield fail("quorum", message, "it has no contact with a quorum: look at its network")
        return
    needed = status.voter_count // 2 + 1
    said = f"leader {status.leader_id}, term {status.term}, {_alive(status)}"
    if not status.is_leader:
        hint = f"the leader {status.leader_id} itself did not answer; look at its network"
        yield warn("quorum", said, hint)
    elif status.voter_count < VOTERS_MIN:
        yield warn("quorum", said, "run three replicas in three failure domains")
    elif status.voters_alive <= needed:
        hint = "bring the others back: the loss of one more ends every change and failover"
        yield fail("quorum", said, hint)
    elif status.voters_alive < status.voter_count:
        yield warn("quorum", said, "bring the others back")
    else:
        yield ok("quorum", said)


def _alive(status: admin.GetStatusResponse) -> str:
    alive = str(status.voters_alive) if status.is_leader else "?"
    return f"{alive} of {plural(status.voter_count, 'voter')} in touch"


def agreement(facts: Facts) -> Iterator[Finding]:
    """Do all replicas have the same state, documents and release?"""
    well = [each for each in facts.replicas if each.status is not None]
    found = [
        *_digests(well),
        *_behind(well),
        *_releases(well),
    ]
    yield from found
    if well and not found:
        first = well[0].status
        assert first is not None, "only those that answered are listed"
        yield ok(
            "agreement",
            f"{_names(well)} hold the same state: revision {first.config_revision}, generation "
            f"{first.generation}, index {first.applied_index}, release {first.version or '?'}",
        )


def _digests(replicas: list[SeenReplica]) -> Iterator[Finding]:
    by_index: dict[int, dict[str, list[str]]] = {}
    for each in replicas:
        assert each.status is not None, "only those that answered are listed"
        digests = by_index.setdefault(each.status.applied_index, {})
        digests.setdefault(each.status.state_digest, []).append(each.replica_id)
    for index, digests in sorted(by_index.items()):
        if len(digests) > 1:
            groups = " / ".join(", ".join(names) for _, names in sorted(digests.items()))
            hint = (
                "stop the replica that differs from the others, keep its data directory for the "
                "developers, and add it again as a learner with an empty one"
            )
            yield fail("agreement", f"the states at index {index} differ: {groups}", hint)


def _behind(replicas: list[SeenReplica]) -> Iterator[Finding]:
    newest = max((each.status.applied_index for each in replicas if each.status), default=0)
    for each in replicas:
        behind = newest - each.status.applied_index if each.status else 0
        if behind > BEHIND_ENTRIES_MAX:
            message = f"{each.replica_id} is {behind} entries behind"
            yield warn("agreement", message, "wait; if it does not catch up, look at its disk")


def _releases(replicas: list[SeenReplica]) -> Iterator[Finding]:
    releases = {each.replica_id: each.status.version for each in replicas if each.status}
    if len(set(releases.values())) > 1:
        said = ", ".join(f"{name} {release or '?'}" for name, release in sorted(releases.items()))
        yield warn("agreement", f"releases differ: {said}", "finish the upgrade, or take it back")


def clocks(facts: Facts) -> Iterator[Finding]:
    """Are the wall clocks of the replicas together?"""
    offsets = {
        each.replica_id: each.clock_offset_ms
        for each in facts.replicas
        if each.status is not None and each.status.wall_ms
    }
    if not offsets:
        return
    apart_ms = max(offsets.values()) - min(offsets.values())
    slack_ms = max(each.answered_in_ms for each in facts.replicas)
    said = f"wall clocks of the replicas are within {apart_ms} ms (+/- {slack_ms} ms)"
    hint = "look at time synchronisation; nothing that must be safe depends on it, dates do"
    if apart_ms - slack_ms > CLOCKS_APART_FAIL_MS:
        yield fail("clocks", said, f"{hint}, and certificates and scheduled drills go wrong")
    elif apart_ms - slack_ms > CLOCKS_APART_WARN_MS:
        yield warn("clocks", said, hint)
    else:
        yield ok("clocks", said)


def certificates(facts: Facts) -> Iterator[Finding]:
    """Is every certificate renewed in time?"""
    ends: list[tuple[int, str]] = []
    is_bad = False
    for replica in facts.replicas:
        if replica.status is None:
            continue
        for each in replica.status.certificates:
            left_ms = each.not_after_ms - facts.wall_ms
            what = f"the {each.purpose} certificate of {replica.replica_id}"
            ends.append((left_ms, what))
            finding = _certificate(each, left_ms, what, facts.wall_ms)
            if finding is not None:
                is_bad = True
                yield finding
    if not ends:
        yield ok("certificates", "no TLS: the directors listen on loopback, or --insecure")
    elif not is_bad:
        left_ms, what = min(ends)
        yield ok("certificates", f"{what} ends first, in {format_ms(left_ms)}")


def _certificate(
    certificate: admin.CertificateEnd, left_ms: int, what: str, now_ms: int
) -> Finding | None:
    hint = "have it issued anew; the files are read again by themselves"
    if left_ms <= 0:
        return fail("certificates", f"{what} has ended", hint)
    least_ms = CA_LEFT_MIN_MS if certificate.purpose == "ca" else LEAF_LEFT_MIN_MS
    if left_ms < least_ms:
        return fail("certificates", f"{what} ends in {format_ms(left_ms)}", hint)
    if certificate.half_life_at_ms and now_ms >= certificate.half_life_at_ms:
        said = f"{what} is past the half of its life; it ends in {format_ms(left_ms)}"
        return warn("certificates", said, f"find out why it is not renewed, and {hint}")
    return None


def _names(replicas: list[SeenReplica]) -> str:
    return ", ".join(each.replica_id for each in replicas)
