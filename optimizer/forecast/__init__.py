"""Load and PV of the next two days, each with its error: learned daily from what the site did. Pure."""
