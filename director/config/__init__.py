"""The documents people write: model, loading, validation and canonical export."""
