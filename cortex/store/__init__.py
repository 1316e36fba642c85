"""What lasts: rows (the memories), checkpoints (weights and state), the lease (one life, one writer)."""

from cortex.store.checkpoint import Checkpoint, digest, load, save
from cortex.store.lease import Lease
from cortex.store.rows import Rows

__all__ = ["Checkpoint", "Lease", "Rows", "digest", "load", "save"]
