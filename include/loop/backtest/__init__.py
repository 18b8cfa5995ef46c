"""Stored nights under other policies: whom they would have asked about, and what that would have bought."""
