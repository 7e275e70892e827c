// Every table fits its column: one that is wider is set tighter, and on a telephone its rows become cards that name the
// column of each cell. Without scripts it scrolls in its own box.
const ROLES = { table: "table", tr: "row", th: "columnheader", td: "cell" };  // which cards would lose

function fit(table) {
  const box = table.parentElement;
  const sticksOut = () => box.scrollWidth > box.clientWidth + 1;
  table.classList.remove("tight", "cards");
  if (sticksOut()) table.classList.add("tight");
  if (sticksOut() && window.innerWidth <= 600) {
    table.classList.add("cards");
    for (const name in ROLES) [table, ...table.querySelectorAll(name)].forEach(
      part => part.matches(name) && part.setAttribute("role", ROLES[name]));
  }
}

window.addEventListener("load", () => {
  const tables = [...document.querySelectorAll(".pst-scrollable-table-container > table")];
  for (const table of tables) {
    const names = [...table.tHead?.rows[0].cells ?? []].map(cell => cell.textContent.trim());
    for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, k) => { cell.dataset.label = names[k] ?? ""; });
  }
  const widths = new Map();  // of their boxes, which a sidebar changes too
  const watch = new ResizeObserver(entries => entries.forEach(({ target, contentRect: { width } }) => {
    if (widths.get(target) === width) return;
    widths.set(target, width);
    fit(target.querySelector("table"));
  }));
  tables.forEach(table => { fit(table); watch.observe(table.parentElement); });
});

// The table of claims, one verdict at a time. Without scripts all its rows stand there.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("tab-claims");
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  const verdict = row => row.cells[2].textContent.trim();
  const bar = document.createElement("div");
  bar.className = "choose-verdict";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "Claims with this verdict");
  const buttons = ["all", ...new Set(rows.map(verdict))].map(word => {
    const button = document.createElement("button");
    const shown = rows.filter(row => word === "all" || verdict(row) === word);
    button.textContent = `${word} (${shown.length})`;
    button.addEventListener("click", () => {
      rows.forEach(row => { row.hidden = !shown.includes(row); });
      buttons.forEach(other => other.setAttribute("aria-pressed", other === button));
    });
    button.setAttribute("aria-pressed", word === "all");
    return button;
  });
  bar.append(...buttons);
  (table.closest(".pst-scrollable-table-container") || table).before(bar);
});
