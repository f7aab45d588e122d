"""The gRPC doors of a replica: converts, calls, converts back. No rule of the domain is here."""
