// One row: a sentence for each strong feature, its waterfall, its document or its image.

const STEPS = 10;

function sentences(row, found) {
  const items = found.shown.slice(0, 4).filter((each) => each.relevance !== 0).map(({ column, value, relevance: amount }) =>
    make("li", {}, make("strong", {}, own(column.name)),
      ...(report.kind === "text" ? [] : [" ", own(beside(column, value))]),
      ": ", make("span", { class: look(amount) }, effect(amount, report.scale, report.unit))));
  return make("ol", { class: "sentences" }, ...items);
}

function steps(row, found) {
  const list = found.shown.map(({ column, value, relevance: amount }) => ({
    name: column.name, value: report.kind === "text" ? "" : shown(column, value), amount, look: look(amount),
  }));
  if (found.others) list.push({ name: count(found.others, "other feature"), amount: found.rest, look: look(found.rest) });
  if (report.kind === "image") {
    const left = report.residuals.reduce((sum, each) => sum - part(each.values, row), prediction(row) - part(report.start, row));
    list.push({ name: "all pixels", amount: left, look: look(left) });
  }
  return list.concat(residuals(row, found));
}

// Residuals that are not zero; one step where they cancel and would dwarf the features, as in neon's plots.
function residuals(row, found) {
  const each = report.residuals
    .map(({ name, words, values }) => ({ name, value: words, amount: part(values, row), look: "residual" }))
    .filter(({ amount }) => amount !== 0);
  const net = each.reduce((sum, { amount }) => sum + amount, 0);
  const total = each.reduce((sum, { amount }) => sum + Math.abs(amount), 0);
  const largest = Math.max(0, ...found.shown.map((reason) => Math.abs(reason.relevance)));
  if (each.length < 2 || !(total >= 2 * Math.abs(net)) || !(total > largest)) return each;
  return [{
    name: `${each.map(({ name }) => name).join(", ")} (net)`,
    value: `net of ${each.map(({ amount }) => number(amount, true)).join(", ")}`,
    amount: net,
    look: "residual",
  }];
}

function waterfall(row, found) {
  const start = part(report.start, row);
  const list = steps(row, found);
  let [end, low, high] = [finite(start), finite(start), finite(start)];
  for (const step of list) {
    step.from = end;
    step.to = end += finite(step.amount);
    [low, high] = [Math.min(low, end), Math.max(high, end)];
  }
  const place = (value) => (high > low ? (value - low) / (high - low) : 0.5);
  const line = (name, value, pieces, amount, kind) => make("tr", { class: kind },
    make("th", { scope: "row" }, own(name), value ? make("span", { class: "value" }, own(value)) : null),
    make("td", { class: "bars" }, track(...pieces)),
    make("td", { class: "number" }, amount));
  const mark = (value) => bar(place(value), place(value), "mark");
  return make("table", { class: "plain waterfall" },
    make("caption", {}, "From the base value to the prediction"),
    make("thead", { class: "hidden" }, make("tr", {}, make("th", { scope: "col" }, "Step"),
      make("th", { scope: "col" }, "Bar"), make("th", { scope: "col" }, "Amount"))),
    make("tbody", {},
      line("base value", report.base, [mark(finite(start))], number(start), "end"),
      ...list.map((step) => line(step.name, step.value, [bar(place(step.from), place(step.to), step.look)],
        number(step.amount, true), "")),
      line("prediction", "", [mark(end)], number(prediction(row)), "end")));
}

function documentText(row) {
  const words = documentOf(row);
  if (leftOut(row)) return make("p", { class: "note" }, "The text of this row was left out: the file would be too large.");
  if (!words.length) return null;
  const limit = words.reduce((most, { relevance: amount }) => Math.max(most, Math.abs(finite(amount))), 0) || 1;
  const text = make("p", { class: "document", dir: "auto" });
  const color = () => {
    text.replaceChildren(...words.flatMap(({ word, relevance: amount }, i) => {
      const piece = make("span", {}, word);
      if (amount) {
        const ground = relevanceColor((0.85 * amount) / limit);
        piece.style.backgroundColor = css(ground);
        piece.style.color = inkOn(ground);
        piece.title = number(amount, true);
      }
      return [gap(word, i), piece];
    }));
  };
  color();
  redraws[1] = color;
  return text;
}

function imageOf(row) {
  if (report.kind !== "image") return null;
  const describe = (what) => `${what} of row ${labelOf(row)}, ${report.shape[0]} by ${report.shape[1]} pixels`;
  const picture = make("canvas", { class: "image", role: "img", "aria-label": describe("Picture") });
  const heat = make("canvas", { class: "image", role: "img", "aria-label": describe("Relevance") });
  const draw = () => { drawImage(picture, row, "picture"); drawImage(heat, row, "relevance"); };
  draw();
  redraws[1] = draw;
  const limit = report.limits.values[slot() * report.n + row];
  return make("div", { class: "images" },
    make("figure", {}, picture, make("figcaption", {}, "the image")),
    make("figure", {}, heat,
      make("figcaption", {}, `relevance: red raises, blue lowers, up to ${number(limit)} a pixel`)));
}

function detail(row) {
  redraws[1] = () => {};
  const found = reasons(row, STEPS);
  const name = report.outputs.length > 1 ? [" for ", own(outputName(row))] : [];
  return make("div", { class: "detail-body" },
    make("h3", {}, "Row ", own(labelOf(row))),
    make("p", {}, make("strong", {}, "Prediction"), ` (${report.explains}`, ...name, `): ${predicted(prediction(row), report.scale, report.unit)}.`),
    found.shown.length ? sentences(row, found) : null,
    documentText(row), imageOf(row), waterfall(row, found));
}
