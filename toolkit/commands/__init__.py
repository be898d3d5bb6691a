"""The bodies of the commands: each is a dataclass whose fields are its arguments."""
