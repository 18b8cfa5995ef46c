"""From a model, a label or an endpoint back to where it comes from."""
