"""Judging generated faces: arrays in, numbers out; the argument order is always (generated, real).

Nothing is imported here, so that training needs no face detector to watch its samples.
"""
