"""A threshold to move along a ROC curve, with the confusion that it makes: one HTML element, for pages without a kernel.

The counts at every threshold are in the element. Without scripts it shows the curve of the first label and its counts at the
middle threshold; on paper it is left out, as a figure beside it shows the curves.
"""

import json
from collections.abc import Mapping
from html import escape

import numpy as np
from IPython.display import HTML

__all__ = ["LARGEST", "operating_points", "threshold_explorer"]

#: Bytes of one element.
LARGEST = 200_000

_SIDE = 220  # units of the drawing

_STYLE = """
.threshold-explorer { max-width: 46rem; margin: 0 0 1rem; font-size: 0.9rem; color: inherit; }
.threshold-explorer .board { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.threshold-explorer svg { width: min(100%, 20rem); height: auto; overflow: visible; }
.threshold-explorer svg text { fill: currentColor; font-size: 11px; }
.threshold-explorer .frame, .threshold-explorer .chance { fill: none; stroke: currentColor; stroke-opacity: 0.45; }
.threshold-explorer .chance { stroke-dasharray: 4 4; }
.threshold-explorer .curve { fill: none; stroke: #0072b2; stroke-width: 2.5; }
.threshold-explorer .here { fill: #d55e00; stroke: #fff; stroke-width: 1.5; }
.threshold-explorer table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.threshold-explorer :is(td, th) { padding: 0.3rem 0.7rem; text-align: right;
  border-bottom: 1px solid rgb(128 128 128 / 40%); }
.threshold-explorer th[scope=row] { text-align: left; }
.threshold-explorer .controls { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; padding: 0.5rem 0; }
.threshold-explorer .controls[hidden] { display: none; }
.threshold-explorer :is(select, input) { font: inherit; color: inherit; background: transparent; min-height: 2.2rem; }
.threshold-explorer select option { color: #000; background: #fff; }
.threshold-explorer input { flex: 1; min-width: 8rem; accent-color: #0072b2; }
.threshold-explorer :is(select, input):focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
@media print { .threshold-explorer { display: none; } }
"""

# Written once per element: whichever runs first sets up every explorer that is there and not yet set up.
_SCRIPT = """
document.querySelectorAll('.threshold-explorer:not([data-ready])').forEach(box => {
  box.dataset.ready = '';
  const data = JSON.parse(box.querySelector('script[type="application/json"]').textContent);
  const [select, slider, curve, here] = ['select', 'input', '.curve', '.here'].map(name => box.querySelector(name));
  const put = (name, value) => box.querySelector(`[data-count=${name}]`).textContent = value;
  const share = (part, whole) => whole ? (part / whole).toFixed(3) : '–';
  const x = (set, i) => SIDE * set.fp[i] / set.negatives, y = (set, i) => SIDE * (1 - set.tp[i] / set.positives);
  const show = () => {
    const set = data[select.value], i = +slider.value, tp = set.tp[i], fp = set.fp[i];
    here.setAttribute('cx', x(set, i));
    here.setAttribute('cy', y(set, i));
    put('tp', tp); put('fn', set.positives - tp); put('fp', fp); put('tn', set.negatives - fp);
    put('hit', share(tp, set.positives)); put('alarm', share(fp, set.negatives)); put('precision', share(tp, tp + fp));
    const said = `${tp} of ${set.positives} found, ${fp} false alarms`;
    slider.setAttribute('aria-valuetext', `threshold ${set.threshold[i]}: ${said}`);
    put('threshold', set.threshold[i]);
  };
  const choose = () => {
    const set = data[select.value];
    slider.max = set.tp.length - 1;
    slider.value = Math.round(set.tp.length / 2);
    curve.setAttribute('points', set.tp.map((_, i) => `${x(set, i).toFixed(1)},${y(set, i).toFixed(1)}`).join(' '));
    show();
  };
  select.onchange = choose;
  slider.oninput = show;
  box.querySelector('.controls').hidden = false;
  choose();
});
""".replace("SIDE", str(_SIDE))


def operating_points(positive: np.ndarray, values: np.ndarray, n_points: int = 80) -> dict[str, list | int]:
    """Count what is found and what is a false alarm at thresholds from the strictest to the loosest.

    Parameters
    ----------
    positive : ndarray of shape (n_faces,), bool
        Whether the face shows the label.
    values : ndarray of shape (n_faces,)
        Decision values; a face is named when its value is at least the threshold.
    n_points : int
        At most so many thresholds, evenly spaced among the values that occur.

    Returns
    -------
    dict
        ``threshold, tp, fp`` (lists, both counts not falling), ``positives``, ``negatives``.

    Raises
    ------
    ValueError
        There is no face that shows the label, or none that does not.
    """
    positive, values = np.asarray(positive, bool), np.asarray(values, float)
    if positive.all() or not positive.any():
        raise ValueError("a threshold needs faces that show the label and faces that do not")
    levels = np.unique(values)[::-1]
    chosen = levels[np.unique(np.linspace(0, len(levels) - 1, n_points).round().astype(int))]
    thresholds = np.concatenate([[np.inf], chosen])
    tp, fp = ([int((values[side] >= level).sum()) for level in thresholds] for side in (positive, ~positive))
    names = ["none"] + [f"{level:.4g}" for level in chosen]
    return {"threshold": names, "tp": tp, "fp": fp, "positives": int(positive.sum()), "negatives": int((~positive).sum())}


def threshold_explorer(labels: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> HTML:
    """Return an element with a threshold to move, a ROC curve and the counts of right and wrong answers.

    Parameters
    ----------
    labels : mapping of str to (positive, values)
        See `operating_points`.
    title : str
        What it shows, for those who hear the page instead of seeing it.

    Raises
    ------
    ValueError
        There is no label, or the element would be larger than `LARGEST` bytes.
    """
    if not labels:
        raise ValueError("a threshold needs at least one label")
    data = {label: operating_points(*arrays) for label, arrays in labels.items()}
    html = _element(data, escape(title))
    if len(html.encode()) > LARGEST:
        raise ValueError(f"{len(labels)} labels need more than {LARGEST:,} bytes; show fewer")
    return HTML(html)


def _element(data: dict[str, dict], title: str) -> str:
    first = next(iter(data.values()))
    middle = round(len(first["tp"]) / 2)
    positives, negatives = first["positives"], first["negatives"]
    rates = zip(first["fp"], first["tp"], strict=True)
    points = [(_SIDE * f / negatives, _SIDE * (1 - t / positives)) for f, t in rates]
    tp, fp = first["tp"][middle], first["fp"][middle]
    counts = dict(tp=tp, fn=positives - tp, fp=fp, tn=negatives - fp)
    cell = {name: f'<td data-count="{name}">{value}</td>' for name, value in counts.items()}
    options = "".join(f"<option>{escape(label)}</option>" for label in data)
    shares = {"hit": f"{tp / positives:.3f}", "alarm": f"{fp / negatives:.3f}",
              "precision": f"{tp / (tp + fp):.3f}" if tp + fp else "–", "threshold": first["threshold"][middle]}
    share = {name: f'<td colspan="2" data-count="{name}">{value}</td>' for name, value in shares.items()}
    content = json.dumps(data).replace("<", "\\u003c")  # a label must not end the script that holds it
    return f"""<div class="threshold-explorer" role="group" aria-label="{title}">
<style>{_STYLE}</style>
<div class="controls" hidden><label>label <select>{options}</select></label>
<label style="display: contents">threshold
<input type="range" min="0" max="{len(first["tp"]) - 1}" value="{middle}"></label></div>
<div class="board">
<svg viewBox="-40 -10 {_SIDE + 50} {_SIDE + 55}" role="img" aria-label="ROC curve with the chosen threshold">
<rect class="frame" width="{_SIDE}" height="{_SIDE}"/><path class="chance" d="M0 {_SIDE} L{_SIDE} 0"/>
<polyline class="curve" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>
<circle class="here" r="7" cx="{points[middle][0]:.1f}" cy="{points[middle][1]:.1f}"/>
<text x="{_SIDE / 2}" y="{_SIDE + 30}" text-anchor="middle">share of false alarms</text>
<text transform="translate(-25 {_SIDE / 2}) rotate(-90)" text-anchor="middle">share found</text>
<text x="0" y="{_SIDE + 15}" text-anchor="middle">0</text>
<text x="{_SIDE}" y="{_SIDE + 15}" text-anchor="middle">1</text></svg>
<table><thead><tr><th scope="col"></th><th scope="col">named</th><th scope="col">not named</th></tr></thead><tbody>
<tr><th scope="row">shows it</th>{cell["tp"]}{cell["fn"]}</tr><tr><th scope="row">does not</th>{cell["fp"]}{cell["tn"]}</tr>
<tr><th scope="row">share found</th>{share["hit"]}</tr>
<tr><th scope="row">share of false alarms</th>{share["alarm"]}</tr>
<tr><th scope="row">right among named</th>{share["precision"]}</tr>
<tr><th scope="row">threshold</th>{share["threshold"]}</tr></tbody></table>
</div>
<script type="application/json">{content}</script>
<script>{_SCRIPT}</script>
</div>"""
