"""Eyes: one module per system. They read the world and change nothing."""
