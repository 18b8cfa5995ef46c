"""Trained models: packages of the registry, and the champion among them."""
