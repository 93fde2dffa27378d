"""The transport ``mqtt``: instruments that take orders on a topic and publish results."""

from __future__ import annotations

from adapters.mqtt.evaluator import InDoubt, MqttEvaluator

__all__ = ["InDoubt", "MqttEvaluator"]
