"""The Raft algorithm as a pure module: messages and ticks in, work to do out.

No clock, no disk, no network. `node.Node` is the whole of it to the outside.
"""
