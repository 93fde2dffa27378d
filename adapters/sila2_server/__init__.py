"""SiLA 2 servers: instruments that speak the standard of laboratory automation."""

from adapters.sila2_server.evaluator import Sila2Evaluator

__all__ = ["Sila2Evaluator"]
