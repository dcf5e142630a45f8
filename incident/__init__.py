"""Memory: what happened. The timeline, its store, its export."""
