/* Loaded before require.js, on pages with widgets: where the bundled widget manager lies, and how it sets equations. */
(() => {
  const here = document.currentScript.src.replace(/[^/]*$/, '');
  const manager = here + 'vendor/html-manager';
  window.require = {paths: {'@jupyter-widgets': manager, '@jupyter-widgets/html-manager/dist': manager}};
  // The widget manager speaks to MathJax 2; the pages have MathJax 3.
  window.addEventListener('load', () => {
    if (window.MathJax && !window.MathJax.Hub)
      window.MathJax.Hub = {Queue: ([, , element]) =>
        MathJax.startup.promise.then(() => MathJax.typesetPromise([element]))};
  });
})();
