"""The published models, as submissions, and what the grader measures of them."""
