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
