"""What is handed in: found, read once, never executed."""
