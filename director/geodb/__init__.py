"""Client address to place, from any MMDB file: found, opened, read and remembered."""
