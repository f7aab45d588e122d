"""The agent's own server, on loopback: the gate, local resolves, liveness and readiness."""
