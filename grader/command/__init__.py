"""One command: where its assignments are, what it does, how it ends; also in a notebook."""
