// Shows trials in a browser. It knows no right answers.
(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('study-data').textContent);
  const part = name => document.querySelector('.study .' + name);
  const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  const frame = () => new Promise(done => requestAnimationFrame(done));
  const FIXATION = 400;
  let answers = [], rater = '', sheet = 0, trials = [], waiting = null, unsaved = false, turn = 0;

  // What was answered is kept in this browser after every trial, so that a closed window loses nothing.
  const place = () => 'study-' + data.id + '-' + rater;
  const remember = () => { try { localStorage.setItem(place(), JSON.stringify(answers)); } catch (error) {
    part('note').textContent = 'This browser keeps nothing: save your answers before you close the window.'; } };
  const remembered = () => { try { return JSON.parse(localStorage.getItem(place())) || []; } catch (error) { return []; } };

  // Everybody who writes the same name gets the same sheet.
  const sheetOf = name => { let sum = 7; for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 1000003;
    return sum % data.sheets.length; };

  const show = async pictures => {
    const faces = part('faces'), mine = ++turn;
    faces.className = 'faces hidden';
    faces.replaceChildren(...pictures.map(row => { const box = document.createElement('div'), image = new Image();
      image.alt = ''; image.src = data.pictures[row]; box.append(image); return box; }));
    await Promise.all([...faces.querySelectorAll('img')].map(image => image.decode()));
    await pause(FIXATION);
    await frame();
    faces.className = 'faces';
    const start = performance.now();
    const shown = pause(data.exposure).then(async () => {
      await frame();
      if (mine === turn) faces.className = 'faces hidden';  // or it is the next trial's turn already
      return performance.now() - start;
    });
    return [start, shown];
  };

  const ask = async number => {
    part('progress').max = trials.length;
    part('progress').value = number;
    part('count').textContent = (number + 1) + ' of ' + trials.length;
    const [start, exposure] = await show(trials[number]);
    let shown = null;
    exposure.then(milliseconds => { shown = milliseconds; });
    buttons.forEach(button => { button.disabled = false; });
    part('study-trial').dataset.ready = number;
    const answer = await new Promise(done => { waiting = done; });
    const time = performance.now() - start;
    waiting = null;
    buttons.forEach(button => { button.disabled = true; });
    part('faces').className = 'faces hidden';
    answers.push({study: data.id, rater: rater, sheet: sheet, trial: number, answer: answer,
      milliseconds: Math.round(time), shown: Math.round(shown === null ? time : shown),
      time: new Date().toISOString().slice(0, 19) + '+00:00'});
    unsaved = true;
    remember();
  };

  const run = async () => {
    part('study-start').hidden = true;
    part('study-trial').hidden = false;
    const known = new Set(answers.map(answer => answer.trial));
    for (let number = 0; number < trials.length; number++) if (!known.has(number)) await ask(number);
    part('study-trial').hidden = true;
    part('study-end').hidden = false;
    part('save').focus();
  };

  const save = () => {
    const lines = answers.map(answer => JSON.stringify(answer) + '\n').join('');
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([lines], {type: 'application/jsonl'}));
    link.download = 'answers-' + data.id + '-' + rater.replace(/[^A-Za-z0-9-]/g, '_') + '.jsonl';
    link.click();
    URL.revokeObjectURL(link.href);
    unsaved = false;
  };

  const buttons = [...document.querySelectorAll('.study .keys button')];
  buttons.forEach((button, index) => { button.onclick = () => waiting && waiting(data.answers[index]); });
  document.addEventListener('keydown', event => {
    const side = {f: 0, arrowleft: 0, j: 1, arrowright: 1}[event.key.toLowerCase()];
    if (!waiting || side === undefined || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    waiting(data.answers[side]);
  });
  document.querySelectorAll('.study .save').forEach(button => { button.onclick = save; });
  addEventListener('beforeunload', event => { if (unsaved) event.preventDefault(); });
  const name = document.getElementById('rater');
  const begin = () => {
    rater = name.value.trim();
    if (!rater) { name.focus(); return; }
    sheet = sheetOf(rater);
    trials = data.sheets[sheet];
    answers = remembered();
    run();
  };
  part('begin').onclick = begin;
  name.onkeydown = event => { if (event.key === 'Enter') begin(); };
})();
