"""Faces rendered by the project's own code, with exact identity, expression, pose and light.

They are stand-ins for datasets that may not ship with the project; no result on them is one on photographs.
"""

from fergan.rendered.labels import FULL_SIZES, STAND_INS, stand_in_labels
from fergan.rendered.render import render_expression, render_faces

