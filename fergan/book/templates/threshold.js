// Written once per element: whichever runs first sets up every explorer that is there and not yet set up.
document.querySelectorAll('.threshold-explorer:not([data-ready])').forEach(box => {
  box.dataset.ready = '';
  const side = +box.dataset.side, data = JSON.parse(box.querySelector('script[type="application/json"]').textContent);
  const [select, slider, curve, here] = ['select', 'input', '.curve', '.here'].map(name => box.querySelector(name));
  const put = (name, value) => box.querySelector(`[data-count=${name}]`).textContent = value;
  const share = (part, whole) => whole ? (part / whole).toFixed(3) : '–';
  const x = (set, i) => side * set.fp[i] / set.negatives, y = (set, i) => side * (1 - set.tp[i] / set.positives);
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
    slider.value = Math.floor(set.tp.length / 2);
    curve.setAttribute('points', set.tp.map((_, i) => `${x(set, i).toFixed(1)},${y(set, i).toFixed(1)}`).join(' '));
    show();
  };
  select.onchange = choose;
  slider.oninput = show;
  box.querySelector('.controls').hidden = false;
  choose();
});
