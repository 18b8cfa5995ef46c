"""How good the deployed model is on what it meets, and whether that still looks as it did."""
