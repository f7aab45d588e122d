"""The agent that runs beside a region: probes, reports, the gate, local resolves."""

import os

# Before gRPC is imported: with its own handlers around every fork, a probe that runs a program
# while somebody connects over TLS stops the agent for good (grpc/grpc#14258), or garbles a
# connection (grpc/grpc#28557). What is forked here is another program at once and needs none.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
