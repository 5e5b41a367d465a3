"""Draws tensors and comparisons with matplotlib, which is imported when something is drawn.

`histograms` counts values and finds the ends of ranges, without matplotlib; `axes` knows how text
from a model gets onto Axes; `tensors` and `comparisons` draw.
"""
