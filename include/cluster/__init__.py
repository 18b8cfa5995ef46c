"""docker-compose.yaml without a container engine: its services as processes of this machine."""
