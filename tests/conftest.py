"""What holds for every test: gRPC is imported as our own programs import it."""

import os

# Read when gRPC is imported. Tests start programs while they hold TLS connections, which its own
# handlers around forks would garble (director.cli.main).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
