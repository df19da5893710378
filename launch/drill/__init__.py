"""The crash drill: every part of a Duly of its own is killed at every point of every process, then money is counted."""
