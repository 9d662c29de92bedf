"""Reports kept on disk: whole, sealed, found again."""
