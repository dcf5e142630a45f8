"""The application: command line, settings, the app, its screens, its keys."""
