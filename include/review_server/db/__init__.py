"""Tables, their migrations, and sessions."""
