"""director.storage."""
