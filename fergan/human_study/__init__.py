"""A study of how well people tell generated faces from real ones: designed, run, analysed, and never made up.

`design` draws what each rater sees and says how many answers are needed; `publish` (one file for any browser, or Amazon
Mechanical Turk) and `widget` (JupyterLab) show it; `answers` keeps what raters said and says what it means.
"""
