// Written once per element: whichever runs first sets up every player that is there and not yet set up.
document.querySelectorAll('.film-player:not([data-ready])').forEach(player => {
  player.dataset.ready = '';
  const [film, button, slider, text] = ['.film', 'button', 'input', 'output'].map(name => player.querySelector(name));
  const steps = JSON.parse(player.dataset.steps), last = steps.length - 1;
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = 'Play'; };
  const show = frame => {
    slider.value = frame;
    film.style.backgroundPositionY = last ? 100 * frame / last + '%' : '0';
    text.textContent = 'step ' + steps[frame].toLocaleString('en');
    slider.setAttribute('aria-valuetext', text.textContent);
  };
  const next = () => { show(+slider.value + 1); if (+slider.value >= last) stop(); };
  const play = () => {
    if (+slider.value >= last) show(0);
    button.textContent = 'Pause';
    timer = setInterval(next, 500);
  };
  button.onclick = () => timer ? stop() : play();
  slider.oninput = () => { stop(); show(+slider.value); };
  player.querySelector('.controls').hidden = false;
  show(last);
  // It plays once by itself when it first comes into sight, unless the reader has asked for less motion.
  if (last && !matchMedia('(prefers-reduced-motion: reduce)').matches)
    new IntersectionObserver((entries, watch) => {
      if (entries.some(entry => entry.isIntersecting)) { watch.disconnect(); if (!timer) play(); }
    }, {threshold: 0.6}).observe(film);
});
