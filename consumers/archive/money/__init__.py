"""What each quarter of an hour cost, and why it was not as planned: `accounts` writes it, out of what the others find."""
