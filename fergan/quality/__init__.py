"""Judging generated faces: arrays in, numbers out; the argument order is always (generated, real)."""
