"""A whole class: who handed in what, how the works resemble each other, and the gradebook."""
