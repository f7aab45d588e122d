"""Engine 1: drives ``director.raft`` over gRPC and ``director.storage``; nothing to install."""

from director.consensus.embedded.config import EmbeddedConfig
from director.consensus.embedded.engine import EmbeddedConsensus

__all__ = ["EmbeddedConfig", "EmbeddedConsensus"]
