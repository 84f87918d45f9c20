"""Tests of ``transduce.qubit``."""
