"""Telling the people who run Duly how it does: metrics for Prometheus, traces for OpenTelemetry. Never whom it is about."""
