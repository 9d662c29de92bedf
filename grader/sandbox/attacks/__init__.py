"""What student code might try, tried by the grader first: each file holds `Attempt`s of one family.

Linux only.
"""
