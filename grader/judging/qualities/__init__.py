"""What a trained network is like beyond its accuracy: a file for each question. No student code.

What is measured goes into `report.RunQualities`; each file makes the answer of its check of that.
"""
