// The data of the page. Parts lie in the order (output, feature, row).

const TYPES = {
  u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array,
};

function unpack(packed) {
  const text = atob(packed.bytes);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return { shape: packed.shape, values: new TYPES[packed.type](bytes.buffer) };
}

function unpackAll(value) {
  if (Array.isArray(value)) return value.length && typeof value[0] === "object" ? value.map(unpackAll) : value;
  if (value === null || typeof value !== "object") return value;
  if (value.bytes !== undefined && value.type !== undefined) return unpack(value);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, unpackAll(each)]));
}

const report = unpackAll(JSON.parse(document.getElementById("data").textContent));
document.getElementById("data").remove();

const every = report.target === null; // all outputs are explained in each row
const columns = report.columns || [];
const full = columns.filter((column) => column.values); // those that every row has; the others, where a row is strong
// What is chosen: the output that is shown (of all), or the output whose rows are shown (-1: every row, its own).
const state = { output: every ? 0 : -1, query: "", sort: { key: "row", down: false }, page: 0, open: -1 };

const slot = () => (every ? state.output : 0);
const outputOf = (row) => (every ? state.output : report.target.values[row]);
const outputName = (row) => report.outputs[outputOf(row)];
const labelOf = (row) => report.labels[row];

// A part of the equation: one number a row, or one for all rows.
function part(packed, row, output = slot()) {
  const width = packed.shape[1];
  return packed.values[output * width + (width === 1 ? 0 : row)];
}

const prediction = (row) => part(report.prediction, row);
const relevance = (feature, row, output = slot()) =>
  report.relevance.values[(output * full.length + feature) * report.n + row];

// The features of one row as {column, value, relevance}, the strongest first, and what all others add up to.
function reasons(row, most) {
  if (report.kind === "image") return { shown: [], others: 0, rest: 0 };
  let found, others, rest;
  if (report.strongest) {
    const width = report.strongest.place.shape[2];
    const from = (slot() * report.n + row) * width;
    found = Array.from({ length: width }, (_, i) => ({
      column: columns[report.strongest.place.values[from + i]],
      value: report.strongest.values.values[from + i],
      relevance: report.strongest.relevance.values[from + i],
    }));
    others = report.features - width;
    rest = report.strongest.rest.values[slot() * report.n + row];
  } else {
    found = full.map((column, i) => ({ column, value: column.values.values[row], relevance: relevance(i, row) }));
    found.sort((a, b) => Math.abs(b.relevance) - Math.abs(a.relevance));
    others = rest = 0;
  }
  if (report.kind === "text") found = found.filter((each) => each.relevance !== 0);
  const kept = others === 0 && found.length === most + 1 ? most + 1 : most; // a single other one has its own line
  for (const each of found.slice(kept)) {
    rest += each.relevance;
    others += 1;
  }
  return { shown: found.slice(0, kept), others, rest };
}

// Whether the row's document was left out of a page that would be too large.
const leftOut = (row) => Boolean(report.words) && row >= report.ends.values.length;

// Words of the row's document with their relevance; none where there is no document.
function documentOf(row) {
  if (!report.words || leftOut(row)) return [];
  const from = row ? report.ends.values[row - 1] : 0;
  const width = report.words.length;
  return report.words.slice(from, report.ends.values[row]).map((word, i) => ({
    word, relevance: report.wordRelevance.values[slot() * width + from + i],
  }));
}

// What stands before a word of a document: nothing before the first one and before marks that end a phrase.
const gap = (word, place) => (place === 0 || /^[.,;:!?%)\]}…»”’]+$/.test(word) ? "" : " ");
