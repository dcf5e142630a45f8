"""Azure, as far as an incident needs it: the activity log, the SQL databases, the alerts that are fired.

Nothing here is imported unless the settings name a subscription; the SDKs are imported on first use.
"""
