"""The portal: pages for the people who answer, and for the owners of the work."""
