"""Hostile and broken submissions, one file for each group of the catalogue."""
