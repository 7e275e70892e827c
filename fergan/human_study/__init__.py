"""A study of how well people tell generated faces from real ones: designed, run, analysed, and never made up."""
