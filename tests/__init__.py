"""Tests, by room. A package, because some library in the environment installs one of the same name."""
