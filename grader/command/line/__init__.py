"""The command line: what students call, and what a course does."""
