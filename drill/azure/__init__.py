"""Azure as far as the platform needs it: Resource Manager on loopback with databases, metrics and the activity log."""
