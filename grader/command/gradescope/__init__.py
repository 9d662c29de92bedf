"""What runs at Gradescope: the two scripts that it starts, and what they start."""
