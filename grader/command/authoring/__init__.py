"""What an instructor gets: a new assignment, written from its rules, and what is wrong with one."""
