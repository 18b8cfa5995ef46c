"""From an approved model to an endpoint that answers."""
