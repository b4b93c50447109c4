"""What is said, and what follows from it: pure, without clock, database or network."""
