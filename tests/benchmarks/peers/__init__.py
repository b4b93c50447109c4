"""What others make of the same broadcast: libraries of other projects, in folders of their own."""
