"""Talking to Temporal: the one way in which every process connects, so that all read and write payloads alike."""
