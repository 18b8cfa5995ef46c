"""Jobs of SageMaker that a stage starts and waits for, and what their requests have in common."""
