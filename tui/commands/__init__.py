"""The commands: one module each, with ``run(arguments) -> int``, the exit status. Imported only when asked for."""
