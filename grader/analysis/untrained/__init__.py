"""What an untrained network does: watched, and what it brought along."""
