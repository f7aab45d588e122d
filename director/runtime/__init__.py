"""director.runtime."""
