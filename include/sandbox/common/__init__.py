"""What both servers of the sandbox share: a clock that can travel, storage, and counters."""
