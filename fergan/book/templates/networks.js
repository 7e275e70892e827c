// Networks that run in the page: noise to a face, a face to scores, maps and what moved them. Nothing leaves the machine.
document.querySelectorAll('.networks:not([data-ready])').forEach(root => {
  root.dataset.ready = '';
  const find = name => root.querySelector('.' + name), all = name => [...root.querySelectorAll('.' + name)];
  const [state, start, shown, places, told, whole] = ['state', 'start', 'shown', 'places', 'told', 'whole'].map(find);
  const SIDE = 64, store = () => window.ferganNetworks;
  let ort, reader, generator, chosen = 0, face = new Float32Array(SIDE * SIDE * 3);

  // ---- reading scripts, which works from a folder too

  const script = name => new Promise((done, failed) => {
    if (store()?.[name]) return done();
    const tag = document.createElement('script');
    tag.src = root.dataset.place + encodeURIComponent(name) + '.js';
    tag.onload = done;
    tag.onerror = () => failed(new Error(name + '.js is not there'));
    document.head.append(tag);
  });
  const unpacked = async text => {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const opened = async name => {
    await script(name);
    const network = store()[name];
    network.session ??= await ort.InferenceSession.create(await unpacked(network.model));
    return network;
  };

  // ---- what the networks compute

  const generate = async noise =>
    (await generator.session.run({ input: new ort.Tensor('float32', noise, [1, noise.length]) })).pixels.data;
  const read = pixels => reader.session.run({ input: new ort.Tensor('float32', pixels, [SIDE, SIDE, 3]) });

  const normal = seed => {  // numbers of a standard normal distribution, the same for the same seed
    let a = seed >>> 0;
    const uniform = () => {  // mulberry32
      a = (a + 0x6D2B79F5) >>> 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  };
  const noise = () => {
    const size = generator.directions[0].length, z = new Float32Array(size);
    const shares = all('mix').map(input => +input.value), length = Math.hypot(...shares) || 1;
    all('seed').forEach((input, k) => {
      const next = normal(+input.value);
      for (let i = 0; i < size; i++) z[i] += shares[k] / length * next();
    });
    all('direction').forEach((input, k) => generator.directions[k].forEach((part, i) => { z[i] += +input.value * part; }));
    return z;
  };

  // The square of a photograph as the package crops it: its border repeated, averaged when it is reduced, else interpolated.
  const weights = (at, side) => {
    const step = side / SIDE, parts = [];
    if (side < SIDE) {
      const centre = Math.max(0, (at + 0.5) * step - 0.5), low = Math.min(Math.floor(centre), side - 1);
      return [[low, 1 - centre + low], [Math.min(low + 1, side - 1), centre - low]];
    }
    for (let i = Math.floor(at * step); i < (at + 1) * step - 1e-9; i++)
      parts.push([i, (Math.min(i + 1, (at + 1) * step) - Math.max(i, at * step)) / step]);
    return parts;
  };
  const crop = ({ data, width, height }, left, top, side) => {
    const pixels = new Float32Array(SIDE * SIDE * 3), clip = (i, end) => Math.min(Math.max(i, 0), end - 1);
    const each = Array.from({ length: SIDE }, (_, k) => weights(k, side));
    each.forEach((rows, y) => each.forEach((columns, x) => {
      for (const [j, v] of rows) for (const [i, u] of columns) {
        const from = 4 * (clip(top + j, height) * width + clip(left + i, width));
        for (let c = 0; c < 3; c++) pixels[3 * (SIDE * y + x) + c] += u * v * data[from + c];
      }
    }));
    return pixels.map(Math.round);
  };

  // ---- what the page draws

  const paint = (canvas, width, height, colour) => {
    Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d'), image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) image.data.set(colour(i), 4 * i);
    context.putImageData(image, 0, 0);
  };
  const row = (label, index) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.innerHTML = '<span></span><meter min="-1" max="1"></meter><output></output>';
    button.firstChild.textContent = label;
    button.onclick = () => { chosen = index; ask(() => look(face)); };
    return button;
  };
  let rows = [];
  const look = async pixels => {
    face = pixels;
    const found = await read(face);
    paint(shown, SIDE, SIDE, i => [face[3 * i], face[3 * i + 1], face[3 * i + 2], 255]);
    const scores = found.scores.data, moved = found.places.data.slice(16 * chosen, 16 * chosen + 16);
    const most = Math.max(...moved.map(Math.abs), 1e-9);
    paint(places, 4, 4, i => [...(moved[i] > 0 ? [230, 120, 0] : [0, 110, 200]), 150 * Math.abs(moved[i]) / most]);
    rows.forEach((button, k) => {
      button.children[1].value = scores[k];
      button.children[2].textContent = (scores[k] < 0 ? '\u2212' : '+') + Math.abs(scores[k]).toFixed(2);
      button.setAttribute('aria-pressed', k === chosen);
    });
    const best = scores.slice(0, reader.n_emotions).reduce((top, value, k, list) => value > list[top] ? k : top, 0);
    told.textContent = `The classifier says ${reader.heads[best]}. The discriminator takes the face for ` +
      (found.logit.data[0] > 0 ? 'a real one.' : 'a drawn one.');
    all('map').forEach((canvas, k) => {
      const { dims: [n, side], data } = found['maps' + (k + 1)], wide = n * (side + 1) - 1;
      let low = Infinity, high = -Infinity;
      for (const value of data) { low = Math.min(low, value); high = Math.max(high, value); }
      paint(canvas, wide, side, i => {
        const y = Math.floor(i / wide), x = i % wide, map = Math.floor(x / (side + 1)), u = x % (side + 1);
        const grey = 255 * (data[side * (side * map + y) + u] - low) / (high - low || 1);
        return u === side ? [0, 0, 0, 0] : [grey, grey, grey, 255];
      });
    });
    return found;
  };
  const draw = async () => look((await generate(noise())).map(value => Math.min(255, Math.max(0, Math.round(value)))));

  // One job at a time; of those that come meanwhile the last is done.
  let wanted = null, busy = false;
  const ask = async job => {
    wanted = job;
    if (busy) return;
    busy = true;
    while (wanted) { job = wanted; wanted = null; await job(); }
    busy = false;
  };

  // ---- controls

  const go = find('go'), walk = find('walk');
  const stride = () => {
    const turn = +walk.value * Math.PI / 2;
    all('mix').forEach((input, k) => { input.value = [Math.cos(turn), Math.sin(turn), 0][k]; });
  };
  const walking = () => go.getAttribute('aria-pressed') === 'true';
  let forward = 1;
  const step = async () => {
    if (!walking()) return;
    if (+walk.value >= 1) forward = -1;
    if (+walk.value <= 0) forward = 1;
    walk.value = +walk.value + forward * 0.01;
    stride();
    await ask(draw);
    requestAnimationFrame(step);
  };
  go.onclick = () => { go.setAttribute('aria-pressed', !walking()); step(); };
  walk.oninput = () => { stride(); ask(draw); };
  find('seeds').oninput = () => ask(draw);
  find('directions').oninput = () => ask(draw);
  find('still').onclick = () => { all('direction').forEach(input => { input.value = 0; }); ask(draw); };

  const take = async () => {
    generator = await opened('generator-' + find('generator').value);
    const values = all('direction').map(input => input.value);
    find('directions').replaceChildren(...generator.directions.map((_, k) => {
      const label = document.createElement('label');
      label.innerHTML = `direction ${k + 1} <input class="direction" type="range" min="-8" max="8" step="0.1">`;
      label.lastChild.value = values[k] ?? 0;
      return label;
    }));
  };
  find('generator').onchange = async () => { await take(); ask(draw); };

  // ---- a photograph

  const photograph = document.createElement('canvas'), square = { x: 0.5, y: 0.5 };
  const side = () => Math.max(8, Math.round(find('size').value / 100 * Math.min(photograph.width, photograph.height)));
  const corner = () => [square.x * photograph.width, square.y * photograph.height].map(at => Math.round(at - side() / 2));
  const cut = () => {
    const [left, top] = corner(), context = whole.getContext('2d');
    Object.assign(whole, { width: photograph.width, height: photograph.height });
    context.drawImage(photograph, 0, 0);
    context.lineWidth = Math.max(2, photograph.width / 150);
    context.strokeStyle = '#e67800';
    context.strokeRect(left, top, side(), side());
    const pixels = photograph.getContext('2d').getImageData(0, 0, photograph.width, photograph.height);
    ask(() => look(crop(pixels, left, top, side())));
  };
  const put = (source, width, height) => {
    const scale = Math.min(1, 1024 / Math.max(width, height));
    Object.assign(photograph, { width: Math.round(width * scale), height: Math.round(height * scale) });
    photograph.getContext('2d').drawImage(source, 0, 0, photograph.width, photograph.height);
    Object.assign(square, { x: 0.5, y: 0.5 });
    find('cut').hidden = false;
    cut();
  };
  find('file').onchange = async event => {
    if (!event.target.files.length) return;
    try {
      const image = await createImageBitmap(event.target.files[0]);
      put(image, image.width, image.height);
    } catch { told.textContent = 'This file is not a photograph that the browser can read.'; }
  };
  const video = root.querySelector('video'), camera = find('camera');
  camera.onclick = async () => {
    if (video.srcObject) {
      put(video, video.videoWidth, video.videoHeight);
      video.srcObject.getTracks().forEach(track => track.stop());
      video.srcObject = null;
    } else {
      try {
        video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
        await video.play();
      } catch { told.textContent = 'There is no camera that this page may use.'; }
    }
    video.hidden = !video.srcObject;
    camera.textContent = video.srcObject ? 'Take the picture' : 'Camera';
  };
  const drag = event => {
    if (!event.buttons) return;
    const box = whole.getBoundingClientRect();
    Object.assign(square, { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
    event.preventDefault();
    cut();
  };
  whole.onpointerdown = event => { whole.setPointerCapture(event.pointerId); drag(event); };
  whole.onpointermove = drag;
  whole.onkeydown = event => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way) return;
    event.preventDefault();
    square.x += 0.02 * way[0];
    square.y += 0.02 * way[1];
    cut();
  };
  find('size').oninput = cut;

  // ---- the start

  start.hidden = false;
  state.textContent = 'The networks run in this page, on this machine, once they are read.';
  start.onclick = async () => {
    start.disabled = true;
    state.textContent = 'Reading the networks.';
    try {
      await script('runtime');
      const { loader, wasm } = store().runtime;
      const source = new Blob([await unpacked(loader)], { type: 'text/javascript' });
      ort = await import(URL.createObjectURL(source));
      Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: (await unpacked(wasm)).buffer });
      reader = await opened('reader');
      rows = reader.heads.map(row);
      find('emotions').replaceChildren(...rows.slice(0, reader.n_emotions));
      find('units').replaceChildren(...rows.slice(reader.n_emotions));
      await take();
      await draw();
      find('rooms').hidden = false;
      start.hidden = true;
      state.textContent = 'The networks are running.';
      // For tests and the curious: faces are arrays of 64 x 64 x 3 numbers from 0 to 255.
      root.networks = { read, crop, look, draw: () => ask(draw), generate };
    } catch (error) {
      state.textContent = `The networks cannot run here (${error.message}). The figures below show the same at rest.`;
    }
  };
});
