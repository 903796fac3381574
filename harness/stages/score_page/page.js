
"use strict";

// Sorting. What has no value comes last in either direction.
const texts = new Intl.Collator("en", { numeric: true });

function keyOf(cell, isNumber) {
  const text = cell.textContent.trim();
  if (!isNumber) return text === "-" ? "" : text;
  return parseFloat(text);
}

function isNothing(key) {
  return key === "" || Number.isNaN(key);
}

function compare(a, b, sign) {
  if (isNothing(a.key) || isNothing(b.key)) return isNothing(a.key) - isNothing(b.key);
  return sign * (typeof a.key === "number" ? a.key - b.key : texts.compare(a.key, b.key));
}

function sortBy(heading) {
  const body = heading.closest("table").tBodies[0];
  const before = heading.getAttribute("aria-sort");
  const first = heading.dataset.first || "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const direction = before === first ? other : first;
  for (const each of heading.closest("thead").querySelectorAll("th")) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction);
  const isNumber = heading.dataset.kind === "number";
  const rows = Array.from(body.rows, (row) => ({ row, key: keyOf(row.cells[heading.cellIndex], isNumber) }));
  rows.sort((a, b) => compare(a, b, direction === "ascending" ? 1 : -1));
  body.append(...rows.map((each) => each.row));
}

// Rows that contain a text.
function search(field) {
  const wanted = field.value.trim().toLowerCase();
  const rows = Array.from(document.getElementById(field.dataset.table).tBodies[0].rows);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    shown += !row.hidden;
  }
  field.closest("p").querySelector("output").value = wanted ? `${shown} of ${rows.length}` : "";
}

// Marks of the chosen kinds and agents.
function choose(form) {
  const chosen = (name) =>
    new Set(Array.from(form.querySelectorAll(`[name=${name}]:checked`), (box) => box.value));
  const kinds = chosen("kind");
  const agents = form.querySelector("[name=agent]") ? chosen("agent") : new Set(["0"]);
  for (const mark of document.querySelectorAll(".town use")) {
    const isShown = kinds.has(mark.dataset.kind) && agents.has(mark.dataset.agent);
    mark.style.display = isShown ? "" : "none";
  }
}

// A larger map scrolls in its window; marks and words keep their size.
const ZOOMS = [1, 2, 4, 8, 16];

function zoom(button) {
  const figure = button.closest("figure");
  const view = figure.querySelector(".window");
  const now = ZOOMS.indexOf(Number(figure.dataset.zoom));
  const next = Math.min(Math.max(now + Number(button.dataset.zoom), 0), ZOOMS.length - 1);
  const centre = [
    (view.scrollLeft + view.clientWidth / 2) / view.scrollWidth,
    (view.scrollTop + view.clientHeight / 2) / view.scrollHeight,
  ];
  if (next > 0 && !view.style.height) view.style.height = `${view.offsetHeight}px`;
  if (next === 0) view.style.height = "";
  figure.dataset.zoom = ZOOMS[next];
  figure.style.setProperty("--zoom", ZOOMS[next]);
  view.scrollLeft = centre[0] * view.scrollWidth - view.clientWidth / 2;
  view.scrollTop = centre[1] * view.scrollHeight - view.clientHeight / 2;
  showLimits(figure, next);
}

function showLimits(figure, place) {
  figure.querySelector("[data-zoom='-1']").disabled = place === 0;
  figure.querySelector("[data-zoom='1']").disabled = place === ZOOMS.length - 1;
}

document.documentElement.classList.add("script");
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.zoom) zoom(button);
  else if (button.closest("th")) sortBy(button.closest("th"));
});
document.addEventListener("input", (event) => {
  if (event.target.type === "search") search(event.target);
  else if (event.target.closest(".filters")) choose(event.target.closest(".filters"));
});
// A browser that reloads a page fills in what was typed before.
document.querySelectorAll("input[type=search]").forEach(search);
document.querySelectorAll(".filters").forEach(choose);
document.querySelectorAll("figure").forEach((figure) => showLimits(figure, 0));
