"""SageMaker's control plane: every operation on jobs, models, packages and endpoints."""
