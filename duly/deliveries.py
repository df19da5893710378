"""How a connector reads a delivery without trust: each function raises WebhookRejected with its reason, and nothing else."""

from connectors.deliveries import object_of, refuse_large, verify_signed_time, word, word_or_none

__all__ = ["object_of", "refuse_large", "verify_signed_time", "word", "word_or_none"]
