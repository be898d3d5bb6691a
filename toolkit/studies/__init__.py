"""Studies: a command that trains many models and leaves one table with its passport."""
