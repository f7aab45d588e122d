"""Generated protobuf code of the traffic director, beside its protos."""
