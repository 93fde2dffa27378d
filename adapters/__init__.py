"""Everything that turns candidates into measurements: one transport or calculator a module.

The core knows only :mod:`adapters.protocol`; implementations are found through the entry-point
group ``assayloop.evaluators``, built-ins included.
"""
