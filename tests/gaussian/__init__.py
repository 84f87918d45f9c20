"""Tests of ``transduce.gaussian``."""
