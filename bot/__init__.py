"""What the program does, and the two networks it talks to."""
