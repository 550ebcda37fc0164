"""Energy by one rule (`energies`) from the counters and powers of each device (`circuits`), and where it flowed."""
