"""Who takes the steps: the plain loop, which is the measure, and what is faster."""
