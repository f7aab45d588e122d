"""The SDK: resolve and watch routes, in process or over gRPC. See ``resolver`` to begin."""
