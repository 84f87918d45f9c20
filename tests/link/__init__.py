"""Tests of ``transduce.link``."""
