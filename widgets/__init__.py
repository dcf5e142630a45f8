"""Panes: they draw state and report what the person did. No I/O of any kind."""
