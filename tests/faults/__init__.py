"""Real servers broken on purpose: what is broken, what Mend must say, and whether its own remedy mends it."""
