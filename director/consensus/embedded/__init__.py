"""Engine 1: drives ``director.raft`` over gRPC and ``director.storage``; nothing to install.

``engine`` is what an application opens. It is not imported here: the parts of the engine that need
no sockets run in the simulator, where there is no gRPC.
"""
