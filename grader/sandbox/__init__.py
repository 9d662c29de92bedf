"""Start the locked child that runs student code, and take bytes out of it."""
