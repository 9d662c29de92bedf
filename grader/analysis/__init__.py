"""What the grader says about a network without training it: pure functions of a Program.

No student code, and no torch but in `probe` and `proof`, which measure.
"""
