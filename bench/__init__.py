"""Benchmarks, each against something a user would pick instead."""
