"""The way in: who signed a request, what it may do, and who answers it."""
