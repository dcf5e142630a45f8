"""Judgement and hands: what the console makes of what the probes see."""
