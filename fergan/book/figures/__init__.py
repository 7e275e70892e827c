"""Arrays in, matplotlib figures out; a module for each kind of figure, one style for the whole book.

Nothing is imported here, so that a page depends only on the figures that it draws.
"""
