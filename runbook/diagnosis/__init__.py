"""The investigation framework, evaluated from what the probes last saw. Pure: it reads snapshots and asks nobody.

`diagnostician.Diagnostician` is the way in; `findings` has what comes out.
"""
