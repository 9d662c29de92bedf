"""What the grader says about a network without training it: pure functions of a Program. No torch, no student code."""
