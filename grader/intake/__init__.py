"""Take a submission in: what is handed in becomes data, in locked children, or is refused."""
