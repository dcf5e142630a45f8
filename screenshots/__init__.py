"""The pictures of the README, made from the drill by one command: ``make screenshots``."""
