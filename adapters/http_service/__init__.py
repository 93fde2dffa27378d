"""Assays behind a REST service: submitted over HTTP, polled, or delivered by a signed web hook."""

from adapters.http_service.evaluator import HttpEvaluator

__all__ = ["HttpEvaluator"]
