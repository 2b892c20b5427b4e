"""What is true now, read once into a snapshot."""
