"""What each quarter of an hour cost, and why not as planned: `accounts` writes it, out of what the others find."""
