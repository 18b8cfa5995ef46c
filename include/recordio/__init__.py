"""RecordIO, the container of MXNet and of SageMaker's pipes: the one place that writes and reads it.

``framing`` cuts a stream into records. Knows none of our rooms; the loop, the local cloud and the algorithms
use it.
"""

from include.recordio.framing import MAGIC, MAGIC_BYTES, MAX_PART, RecordIOError, read, write

__all__ = ["MAGIC", "MAGIC_BYTES", "MAX_PART", "RecordIOError", "read", "write"]
