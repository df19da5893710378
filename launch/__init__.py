"""Starts and stops the parts of one machine."""
