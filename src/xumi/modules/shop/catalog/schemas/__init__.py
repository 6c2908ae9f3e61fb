"""What goes in and out of the catalogue's endpoints."""
