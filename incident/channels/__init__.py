"""Where status updates go: one small adapter for each kind of channel, and one way to deliver (`deliver.deliver`)."""
