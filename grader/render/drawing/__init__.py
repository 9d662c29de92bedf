"""What the page of one submission draws, as coordinates: no markup here, and nothing is decided."""
