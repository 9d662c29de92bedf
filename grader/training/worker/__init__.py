"""Training processes: started, spoken with, ended."""
