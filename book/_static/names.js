// Names what the theme names otherwise than it reads: a spoken command says what is seen, so a name must hold it.
document.addEventListener("DOMContentLoaded", () => {
  const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
  each('button.search-button-field, summary[aria-label="Toggle hidden content"]', tag => tag.removeAttribute("aria-label"));
  each("div.citation-list", tag => tag.removeAttribute("role"));
  each("summary:has(> .toctree-toggle)", tag => tag.setAttribute("aria-label", "Pages of this chapter"));
  each("i.theme-switch[title]", tag => {
    tag.removeAttribute("title");
    tag.setAttribute("aria-hidden", "true");
  });
});
