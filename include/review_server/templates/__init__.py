"""Worker task templates: checked before anyone works with them, rendered outside of the server."""
