"""SageMaker-compatible training images for any CPU: one package each, and the RecordIO framing they share."""
