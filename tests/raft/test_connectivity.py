"""Every directed connectivity graph of three replicas (L1): whoever can lead, leads, and stays."""

from itertools import combinations, permutations

import pytest

from director.raft.messages import ReplicaId
from tests.raft.cluster import ELECTION_TICKS, A, B, C, Cluster, a_membership

LINKS = tuple(permutations((A, B, C), 2))
GRAPHS = tuple(
    frozenset(cut) for size in range(len(LINKS) + 1) for cut in combinations(LINKS, size)
)
# L1: within three election timeouts, which are drawn below twice election_ticks.
SETTLE_TICKS = 3 * 2 * ELECTION_TICKS


def can_be_led(cut: frozenset[tuple[ReplicaId, ReplicaId]]) -> bool:
    """Whether some replica has two-way links to a majority: of three, to one other."""
    return any(
        (one, other) not in cut and (other, one) not in cut
        for one, other in combinations((A, B, C), 2)
    )


@pytest.mark.parametrize("start", [None, A, B, C], ids=lambda start: f"{start}-leads")
@pytest.mark.parametrize("cut", GRAPHS, ids=lambda cut: "-".join(f"{a}{b}" for a, b in sorted(cut)))
def test_a_stable_leader_exists_exactly_where_one_can(
    cut: frozenset[tuple[ReplicaId, ReplicaId]], start: ReplicaId | None
) -> None:
    for seed in range(3):
        cluster = Cluster(a_membership(A, B, C), seed=seed)
        if start is not None:
            cluster.elect(start)
        cluster.cut(*cut)

        cluster.tick(SETTLE_TICKS)
        leaders, term = cluster.leaders(), max(r.node.term for r in cluster.up())
        assert len(leaders) == (1 if can_be_led(cut) else 0)

        cluster.tick(SETTLE_TICKS)
        assert cluster.leaders() == leaders
        assert max(r.node.term for r in cluster.up()) == term
        for leader in leaders:
            index = cluster.node(leader).propose(b"x")[0]
            cluster.settle()
            assert cluster.node(leader).commit_index == index


def test_all_64_labelled_graphs_are_covered() -> None:
    # They are the 16 graphs that differ in shape, each with every naming of its corners.
    assert len(GRAPHS) == 64
