// What matters over all rows: bars of the mean |relevance|, a strip of dots for each feature, a matrix of outputs; of
// images, maps of the mean relevance of each pixel.

const BARS = 15;
const DOTS = 1500; // rows that strips are drawn from

function strengths(group) {
  const total = full.map((_, i) => group.positive.values[i] + group.negative.values[i]);
  return total.map((size, i) => ({ i, size })).sort((a, b) => b.size - a.size).slice(0, BARS);
}

// Up to DOTS rows of the group, evenly taken.
function sampled(group) {
  const rows = [];
  for (let row = 0; row < report.n; row++) if (every || report.target.values[row] === group.output) rows.push(row);
  const step = Math.max(1, rows.length / DOTS);
  return Array.from({ length: Math.min(rows.length, DOTS) }, (_, i) => rows[Math.floor(i * step)]);
}

function drawStrip(canvas, feature, rows, limit, output) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth || 240, canvas.clientHeight || 30];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  context.fillStyle = style.getPropertyValue("--line");
  context.fillRect(width / 2, 0, 1, height);
  const values = rows.map((row) => full[feature].values.values[row]);
  const known = values.filter(Number.isFinite).sort((a, b) => a - b);
  const [low, high] = [known[Math.floor(0.05 * (known.length - 1))], known[Math.ceil(0.95 * (known.length - 1))]];
  const piles = new Map();
  const numeric = known.length > 0 && !full[feature].texts;
  rows.forEach((row, i) => {
    const amount = relevance(feature, row, output);
    if (!Number.isFinite(amount)) return;
    const x = width / 2 + (amount / limit) * (width / 2 - 4);
    const bin = Math.round(x / 2);
    const rank = piles.get(bin) || 0;
    piles.set(bin, rank + 1);
    const step = Math.min(Math.ceil(rank / 2) * 1.5, height / 2 - 3);
    const y = height / 2 + (rank % 2 ? -step : step);
    const share = numeric ? (high > low ? (values[i] - low) / (high - low) : 0.5) : NaN;
    context.fillStyle = css(valueColor(share));
    context.beginPath();
    context.arc(x, y, 2, 0, 7);
    context.fill();
  });
}

function barTable(group) {
  const order = strengths(group);
  const most = order.length ? order[0].size || 1 : 1;
  const rows = sampled(group);
  const output = every ? group.output : 0;
  let limit = 0;
  for (const { i } of order) {
    for (const row of rows) limit = Math.max(limit, Math.abs(finite(relevance(i, row, output))));
  }
  const strips = [];
  const body = order.map(({ i, size }) => {
    const canvas = make("canvas", { class: "strip", "aria-hidden": "true" });
    strips.push(() => drawStrip(canvas, i, rows, limit || 1, output));
    const positive = group.positive.values[i] / most;
    return make("tr", {},
      make("th", { scope: "row" }, own(full[i].name)),
      make("td", { class: "bars" }, track(bar(0, positive, "up"), bar(positive, size / most, "down"))),
      make("td", { class: "number" }, number(size)),
      make("td", { class: "dots" }, canvas),
      make("td", { class: "usual" }, own(full[i].usual || "")));
  });
  const usual = full.some((column) => column.usual);
  const table = make("table", { class: `plain bars-table${usual ? "" : " no-usual"}` },
    make("thead", {}, make("tr", {},
      make("th", { scope: "col" }, "Feature"),
      make("th", { scope: "col", colspan: "2" }, "Mean |relevance|"),
      make("th", { scope: "col" }, "Each row"),
      make("th", { scope: "col", class: "usual" }, "What is usual"))),
    make("tbody", {}, ...body));
  const notes = [
    `How far each feature moves the prediction, on average over ${count(group.n, "row")}.`,
    rows.length < group.n ? ` Dots are of ${rows.length.toLocaleString("en")} of them.` : "",
    ...meaning(group),
    " Dots: one a row, to the right where it raises",
    report.kind === "text" ? "." : "; lighter for higher values of the feature, grey where they are no numbers.",
  ];
  const drawn = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Features by mean relevance" }, table);
  return { notes, drawn, draw: () => strips.forEach((each) => each()) };
}

// What the colours mean.
const meaning = (group) => [
  ` Red raises, blue lowers what is explained (${report.explains}`,
  ...(report.outputs.length > 1 ? [": ", own(report.outputs[group.output])] : []), ").",
];

// Of images: how much each pixel matters, and in which direction, on average.
function pixelMaps(group) {
  const [raises, lowers] = [group.positive.values, group.negative.values];
  const map = (name, words, value, color) => {
    const values = Array.from(raises, (_, pixel) => value(raises[pixel], lowers[pixel]));
    const limit = values.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
    const canvas = make("canvas", { class: "image", role: "img", "aria-label": `${name} of each pixel` });
    const figure = make("figure", {}, canvas, make("figcaption", {}, `${words}, up to ${number(limit)}`));
    return { figure, draw: () => drawPixels(canvas, (pixel) => color(values[pixel] / (limit || 1))) };
  };
  const maps = [
    map("Mean |relevance|", "mean |relevance|: how much a pixel matters", (up, down) => up + down, magnitudeColor),
    map("Mean relevance", "mean relevance: which way it moves the prediction", (up, down) => up - down, relevanceColor),
  ];
  const notes = [
    `Each pixel, on average over ${count(group.n, "row")}: this says something where images show the same things in the `,
    "same places.", ...meaning(group),
  ];
  const drawn = make("div", { class: "images" }, ...maps.map(({ figure }) => figure));
  return { notes, drawn, draw: () => maps.forEach(({ draw }) => draw()) };
}

function matrix() {
  const total = full.map((_, i) => report.overview.reduce(
    (sum, group) => Math.max(sum, group.positive.values[i] + group.negative.values[i]), 0));
  const order = total.map((size, i) => ({ i, size })).sort((a, b) => b.size - a.size).slice(0, BARS);
  const most = order.length ? order[0].size || 1 : 1;
  const rows = report.overview.map((group) => make("tr", {},
    make("th", { scope: "row" }, own(report.outputs[group.output])),
    ...order.map(({ i }) => {
      const size = group.positive.values[i] + group.negative.values[i];
      const cell = make("td", { class: "number" }, number(size));
      cell.style.setProperty("--share", `${Math.round((45 * size) / most)}%`);
      return cell;
    })));
  return make("details", {},
    make("summary", {}, `All ${report.overview.length} outputs beside each other`),
    make("p", { class: "note" }, "Mean |relevance| of each feature, for each explained output"),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Outputs and features" },
      make("table", { class: "plain matrix" },
        make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Output"),
          ...order.map(({ i }) => make("th", { scope: "col", class: "number" }, own(full[i].name))))),
        make("tbody", {}, ...rows))));
}

const redraws = []; // what depends on the colours of the page

function overview() {
  const body = document.getElementById("overview-body");
  if (report.kind !== "image" && !full.length) return;
  document.getElementById("overview").hidden = false;
  const place = make("div");
  const largest = report.overview.reduce((best, group, i) => (group.n > report.overview[best].n ? i : best), 0);
  const show = (index) => {
    const { notes, drawn, draw } = (report.kind === "image" ? pixelMaps : barTable)(report.overview[index]);
    place.replaceChildren(make("p", { class: "note" }, ...notes), drawn);
    draw();
    redraws[0] = draw;
  };
  if (report.overview.length > 1) {
    const choice = make("select", { id: "overview-output", onchange: (event) => show(Number(event.target.value)) },
      ...report.overview.map((group, i) => make("option", { value: i, selected: i === largest },
        `${report.outputs[group.output]} (${count(group.n, "row")})`)));
    body.append(make("p", { class: "controls" }, make("label", { for: "overview-output" }, "Output "), choice));
  }
  body.append(place);
  show(largest);
  if (report.overview.length > 1 && report.kind !== "image") body.append(matrix());
}
