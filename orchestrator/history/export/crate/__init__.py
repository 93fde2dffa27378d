"""A campaign as a crate: a folder or .zip file that proves itself elsewhere.

``bag`` writes files whole or not at all, ``export`` fills it, ``metadata`` describes it as an
RO-Crate, ``verifier`` checks it with the standard library alone, ``importing`` takes it in.
"""
