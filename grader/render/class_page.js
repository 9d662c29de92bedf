"use strict";
/* Tabs, sorting and filtering. Without this script everything is shown, one part below the other. */

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/* Tabs: https://www.w3.org/WAI/ARIA/apg/patterns/tabs/. What is hidden is still found by the
   browser's own search where it knows "until-found". */
function select(tab, focus) {
  for (const other of tab.parentElement.children) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    panelOf(other).hidden = chosen ? false : "until-found";
  }
  if (focus) tab.focus();
}

function panelOf(tab) {
  return document.getElementById(tab.getAttribute("aria-controls"));
}

function makeTabs(list, title) {
  const tabs = [...list.children];
  list.setAttribute("role", "tablist");
  for (const tab of tabs) {
    const name = tab.hash.slice(1), panel = document.getElementById(name);
    tab.id = `${name}-tab`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", name);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `${tab.id} ${title.id}`);
    panel.addEventListener("beforematch", () => select(tab));
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      select(tab);
      history.replaceState(null, "", tab.hash);
    });
    tab.addEventListener("keydown", (event) => {
      const place = tabs.indexOf(tab), last = tabs.length - 1;
      const next = {
        ArrowLeft: place ? place - 1 : last, ArrowRight: place < last ? place + 1 : 0,
        Home: 0, End: last, " ": place,
      }[event.key];
      if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      select(tabs[next], true);
    });
  }
  select(tabs[0]);
}

/* A link into a part that is hidden opens it; a row that the filter hides is shown again. */
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const panel = target.closest("[role=tabpanel]");
  if (panel) select(document.getElementById(`${panel.id}-tab`));
  if (target.hidden && target.matches("tr")) panel.querySelector(".filter").clear();
  if (panel === target) return;
  target.scrollIntoView({ block: "center" });
  target.focus({ preventScroll: true });
}

/* Numbers stand in data-value; whoever has none comes last in both directions. */
function compare(one, other, kind, sign) {
  if (kind === "text") return sign * collator.compare(one.textContent, other.textContent);
  const [a, b] = [one.dataset.value, other.dataset.value];
  if (a === "" || b === "") return (a === "") - (b === "");
  return sign * (a - b);
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  for (const head of heads.filter((cell) => cell.dataset.sort)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending", column = head.cellIndex;
      for (const cell of heads) cell.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((one, other) =>
        compare(one.cells[column], other.cells[column], head.dataset.sort, down ? -1 : 1));
      body.append(...rows);
    });
  }
}

/* A row stays where it has every word of the filter, in any column, and the verdict. */
function makeFilterable(filter, table, nobody) {
  const [input, verdict, output] = filter.querySelectorAll("input, select, output");
  const rows = [...table.tBodies[0].rows];
  const texts = new Map(rows.map((row) => [row, row.innerText.toLowerCase()]));
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => texts.get(row).includes(word))
        || (verdict.value !== "" && row.dataset.verdict !== verdict.value);
      shown += !row.hidden;
    }
    output.textContent = `${shown} of ${rows.length} shown`;
    nobody.hidden = shown > 0;
  };
  filter.clear = () => { input.value = verdict.value = ""; apply(); };
  input.addEventListener("input", apply);
  verdict.addEventListener("change", apply);
  filter.hidden = false;
  filter.clear();
}

for (const article of document.querySelectorAll("article")) {
  const table = article.querySelector("table.works");
  makeSortable(table);
  makeFilterable(article.querySelector(".filter"), table, article.querySelector(".none"));
  makeTabs(article.querySelector("nav.tabs"), article.querySelector("h2"));
}
addEventListener("hashchange", reveal);
reveal();
