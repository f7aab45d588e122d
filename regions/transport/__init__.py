"""The streams to the directors."""
