"""A study of how well people tell generated faces from real ones: designed, run, analysed, and never made up.

`design` draws what each rater sees; `page` (a file for any browser), `widget` (JupyterLab) and `turk` (Amazon Mechanical
Turk) show it; `answers` keeps what raters said; `analysis` and `power` say what it means and how much of it is needed.
"""
