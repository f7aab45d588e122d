"""What must never break, one file per promise, apart from the code that keeps it.

A checker is told what happens (`watch.Watch` fans out) and raises AssertionError. It may read the
values of the product (State, Event, RouteTable, Entry), and calls none of its rules; only
``replay`` applies the log again, because the machine is what it tests.

=====  =============================================================================================
A1     one_owner, write_intervals
A2     monotonic_tokens (a generation begins after a restore: also ``Watch.restored``)
A3     fenced
A4     revoked_before_promoted
A5     one_owner (each acknowledgement lies within a permit, in true time)
A6     proven_leases
A7     one_leader_per_term, raft_core, linear_reads, same_state
A8     minority (leases, and leading alone); raft_core (what commits has a majority's disks)
A9     legal_moves
D1     not applicable: no ack level but ``local`` exists before sessions
D2     no_lost_write (loss within the RPO); the governor itself comes with sessions
D3     no_lost_write (loss within the bound that was committed; none on a planned move)
D4     not applicable: candidates are ranked by priority and lag; there are no positions yet
D5     not applicable: nothing is quarantined or reported before sessions; the loss is measured here
D6     one_effect, for requests to the directors; sessions are to come
D7     not applicable: no session tokens
D8     raft_core, for the directors' log; hash chains are tested with the storage
D9     not applicable here: a replica with a bad disk refuses to start; raft_core sees what it
       commits, and the storage tests flip every bit
R1     route_never_empty
R2     never_drains_last
R3     velocity
R4     writes_hold
R5     not applicable here: the oracle of the routing tests looks at every row
R6     fresh_routes; the age of an answer is the fronts' own, and they are not simulated
R7     route_never_empty (tables of a replica); clients are not simulated
R8     not applicable here: routers are not simulated; agents restart with what fenced knows
C1     one_run; one_effect (fault 37)
C2     flap, one_run (the cooldown)
C3     failback
C4     evidence
C5     legal_moves (a run begins from what is in force when it is applied)
C6     replay, same_state; evidence reads what the log holds
C7     never_drains_last, owner_declared and legal_moves, for documents; there is no canary
C8     not applicable: no drills
C9     overrides_logged; overrides have no expiry in the product
C10    raft_core (a majority of the voters in force holds what commits); tests/raft for the rest
L1     stable_leader
L2     rto
L3     the scenarios: ``Story.until_settled``
L4     not applicable here: no load is simulated
=====  =============================================================================================
"""
