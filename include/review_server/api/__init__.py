"""The AWS operations: A2I's runtime, flow definitions, task UIs and work teams, and who may call them."""
