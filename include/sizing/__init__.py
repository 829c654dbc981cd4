"""What a fleet costs: requests, hours, bytes and workers, from a physical model instead of from experience."""
