"""What each quarter of an hour cost, and why not as planned: `accounts` writes it, the others say what it is made of."""
