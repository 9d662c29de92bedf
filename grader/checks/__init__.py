"""The checks: plain pytest functions for students to read. A docstring is a line on the scorecard.

They import nothing of the grader; what they know comes from the fixtures of `plugin.py`.
`show` puts the measured value and the limit on the scorecard, whether the check passes or not; its
hints appear when it does not.
"""
