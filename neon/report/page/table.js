// The table of rows: search, sort, pages, and one row open at a time.

const SIZE = 25;
const SHOWN = report.kind === "table" ? full.slice(0, 6) : [];
const several = report.outputs.length > 1 && !every && report.overview.length > 1;
let listed = []; // positions of the rows that match, in order

const text = (value) => value.toLocaleLowerCase("en");

// Whether a row has the words in its label, output, prediction, texts or document.
function matcher(query) {
  const wanted = text(query.trim());
  if (!wanted) return () => true;
  const names = report.outputs.map((name) => text(name).includes(wanted));
  const coded = full.filter((column) => column.texts).map((column) => ({
    codes: column.values.values, matches: column.texts.map((each) => text(each).includes(wanted)),
  }));
  const numeric = /^[-\u2212+]?[\d.,]+$/.test(wanted) ? SHOWN.filter((column) => !column.texts) : [];
  const digits = minus(wanted.replace("+", ""));
  return (row) =>
    text(labelOf(row)).includes(wanted) ||
    (several && names[outputOf(row)]) ||
    coded.some(({ codes, matches }) => matches[codes[row]]) ||
    numeric.some((column) => fixed(column.values.values[row], column.decimals) === digits) ||
    documentOf(row).some(({ word }) => text(word).includes(wanted)) ||
    (report.words && text(documentOf(row).map(({ word }) => word).join(" ")).includes(wanted));
}

function sortValues() {
  const { key } = state.sort;
  if (key === "row") return null;
  const values = new Float64Array(report.n);
  for (let row = 0; row < report.n; row++) {
    values[row] = key === "prediction" ? prediction(row) : key === "output" ? outputOf(row) : relevance(key, row);
  }
  return values;
}

function list() {
  const matches = matcher(state.query);
  listed = [];
  for (let row = 0; row < report.n; row++) {
    if ((every || state.output < 0 || report.target.values[row] === state.output) && matches(row)) listed.push(row);
  }
  const values = sortValues();
  const sign = state.sort.down ? -1 : 1;
  if (values) {
    listed.sort((a, b) => {
      const [left, right] = [values[a], values[b]];
      if (Number.isNaN(left) || Number.isNaN(right)) return Number.isNaN(left) - Number.isNaN(right) || a - b;
      return sign * (left - right) || a - b;
    });
  } else if (state.sort.down) listed.reverse();
}

function headers() {
  const head = (key, name, attributes = {}) => {
    const sorted = state.sort.key === key;
    return make("th", { scope: "col", "aria-sort": sorted ? (state.sort.down ? "descending" : "ascending") : "none", ...attributes },
      make("button", {
        type: "button",
        "data-key": key,
        onclick: () => {
          state.sort = { key, down: state.sort.key === key ? !state.sort.down : typeof key === "number" || key === "prediction" };
          state.page = 0;
          update();
          document.querySelector(`#table [data-key="${key}"]`).focus();
        },
      }, own(name), make("span", { class: "arrow", "aria-hidden": "true" }, sorted ? (state.sort.down ? " ▼" : " ▲") : "")));
  };
  const extra = { image: ["Image", "Relevance"], text: ["Document"], table: [] }[report.kind];
  return make("tr", {},
    head("row", "Row"),
    several ? head("output", "Output") : null,
    head("prediction", "Prediction", { class: "number" }),
    report.kind === "image" ? null : make("th", { scope: "col" }, "Strongest reason"),
    ...extra.map((name) => make("th", { scope: "col", class: report.kind === "text" ? "snippet" : "picture" }, name)),
    ...SHOWN.map((column, i) => head(i, column.name, { class: "feature" })));
}

function cell(column, i, row, limit) {
  const amount = relevance(i, row);
  const end = 0.5 + (finite(amount) / limit) / 2;
  return make("td", { class: "feature", title: `relevance ${number(amount, true)}` },
    own(shown(column, column.values.values[row])),
    track(bar(0.5, end, look(amount))),
    make("span", { class: "hidden" }, `, relevance ${number(amount, true)}`));
}

function strongestReason(row) {
  const [first] = reasons(row, 1).shown;
  if (!first) return make("td");
  return make("td", { class: "reason" }, own(first.column.name), " ",
    make("span", { class: `amount ${look(first.relevance)}` }, number(first.relevance, true)));
}

function extraCells(row) {
  if (report.kind === "image") {
    return ["picture", "relevance"].map((what) => {
      const canvas = make("canvas", { class: "thumbnail", "aria-hidden": "true" });
      drawImage(canvas, row, what);
      return make("td", { class: "picture" }, canvas);
    });
  }
  if (report.kind !== "text") return [];
  const words = documentOf(row);
  const start = words.slice(0, 16).map(({ word }, i) => gap(word, i) + word).join("");
  return [make("td", { class: "snippet", dir: "auto" }, start + (words.length > 16 ? " …" : ""))];
}

function toggle(row) {
  state.open = state.open === row ? -1 : row;
  draw();
  document.getElementById(`row-${row}`).focus({ preventScroll: true });
  const opened = document.getElementById("detail");
  if (opened) opened.scrollIntoView({ block: "nearest" });
}

function rowLine(row, limit, width) {
  const open = state.open === row;
  const button = make("button", {
    type: "button", id: `row-${row}`, class: "opener", "aria-expanded": String(open), "aria-controls": open ? "detail" : null,
  }, own(labelOf(row)));
  const line = make("tr", {
    class: open ? "row open" : "row",
    onclick: (event) => { if (event.target.closest("button") || !String(window.getSelection())) toggle(row); },
  },
    make("th", { scope: "row" }, button),
    several ? make("td", {}, own(outputName(row))) : null,
    make("td", { class: "number" }, number(prediction(row))),
    report.kind === "image" ? null : strongestReason(row),
    ...extraCells(row),
    ...SHOWN.map((column, i) => cell(column, i, row, limit)));
  if (!open) return [line];
  return [line, make("tr", { id: "detail", class: "detail" }, make("td", { colspan: width }, detail(row)))];
}

// Up and down go from row to row.
function walk(event) {
  if (!["ArrowDown", "ArrowUp"].includes(event.key) || !event.target.classList.contains("opener")) return;
  const buttons = [...document.querySelectorAll("#table .opener")];
  const next = buttons[buttons.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) next.focus();
  event.preventDefault();
}

function draw() {
  const pages = Math.max(1, Math.ceil(listed.length / SIZE));
  state.page = Math.min(Math.max(0, state.page), pages - 1);
  const rows = listed.slice(state.page * SIZE, (state.page + 1) * SIZE);
  let limit = 0;
  for (const row of rows) SHOWN.forEach((_, i) => { limit = Math.max(limit, Math.abs(finite(relevance(i, row)))); });
  const head = headers();
  const width = head.children.length;
  document.getElementById("table").replaceChildren(
    make("thead", {}, head),
    make("tbody", {}, ...rows.flatMap((row) => rowLine(row, limit || 1, width))));
  document.getElementById("status").textContent =
    `${listed.length.toLocaleString("en")} of ${count(report.n, "row")}, page ${state.page + 1} of ${pages}`;
  document.getElementById("previous").disabled = state.page === 0;
  document.getElementById("next").disabled = state.page >= pages - 1;
}

function update() {
  list();
  if (!listed.includes(state.open)) state.open = -1;
  draw();
}

function rows() {
  document.getElementById("rows").hidden = false;
  const turn = (by) => () => { state.page += by; draw(); };
  let waiting;
  const search = make("input", {
    type: "search", id: "search", placeholder: "label, class or value", autocomplete: "off",
    oninput: (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { state.query = event.target.value; state.page = 0; update(); }, 120);
    },
  });
  const choice = several || (every && report.outputs.length > 1)
    ? [make("label", { for: "output" }, "Output "), make("select", {
      id: "output",
      onchange: (event) => { state.output = Number(event.target.value); state.page = 0; update(); },
    },
      several ? make("option", { value: -1 }, "every row, its own") : null,
      ...report.overview.map(({ output }) => make("option", { value: output }, report.outputs[output])))]
    : [];
  document.getElementById("rows-body").append(
    make("p", { class: "note" }, "Open a row, by a click or Enter, for the steps from the base value to its prediction. ",
      SHOWN.length ? "Bars show the relevance of each feature; its heading sorts by it." : ""),
    make("div", { class: "controls" }, make("label", { for: "search" }, "Search "), search, ...choice),
    make("div", { class: "scroll", id: "scroll", tabindex: "0", role: "region", "aria-label": "Table of rows", onkeydown: walk },
      make("table", { id: "table" })),
    make("div", { class: "controls" },
      make("button", { type: "button", id: "previous", onclick: turn(-1) }, "Previous"),
      make("button", { type: "button", id: "next", onclick: turn(1) }, "Next"),
      make("span", { id: "status", role: "status" })));
  update();
}
