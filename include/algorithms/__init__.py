"""SageMaker-compatible training images that run on any CPU: one package each, plus the RecordIO framing they share."""
