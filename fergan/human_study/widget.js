// Keys press the buttons. In the capturing phase, before JupyterLab takes F and J for commands; once for each page.
if (!window.ferganStudyKeys) {
  window.ferganStudyKeys = true;
  window.addEventListener('keydown', event => {
    const side = {f: 'left', arrowleft: 'left', j: 'right', arrowright: 'right'}[event.key.toLowerCase()];
    const button = side && document.querySelector('.fergan-study-' + side + ':not([disabled])');
    if (!button || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest && event.target.closest('input, textarea, .cm-content')) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    button.click();
  }, true);
}
