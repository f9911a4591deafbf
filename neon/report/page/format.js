// Numbers and amounts in words, written as neon writes them in Python (explanation/text.py, explanation/typical.py).

const minus = (text) => text.replace("-", "\u2212");

// So many decimals; what lies half-way is rounded to the even digit, as Python does.
const writers = new Map();
function written(value, decimals, useGrouping = true) {
  const key = decimals + (useGrouping ? 100 : 0);
  if (!writers.has(key)) {
    writers.set(key, new Intl.NumberFormat("en-US", {
      minimumFractionDigits: decimals, maximumFractionDigits: decimals, roundingMode: "halfEven", useGrouping,
    }));
  }
  return writers.get(key).format(value);
}

// Three significant digits.
function number(value, signed = false) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? (signed ? "+∞" : "∞") : "\u2212∞";
  const size = Math.abs(value);
  let text;
  if (size === 0) text = "0";
  else if (size >= 1e-3 && size < 1e6) text = written(size, Math.max(0, 2 - Math.floor(Math.log10(size))));
  else text = size.toExponential(2).replace(/e([+-])(\d)$/, "e$10$2").replace("e-", "e\u2212");
  return (value < 0 ? "\u2212" : signed && value > 0 ? "+" : "") + text;
}

// A value of a column: its decimals, and as many more as a small value needs to be seen.
function fixed(value, decimals) {
  if (!Number.isFinite(value)) return number(value);
  const size = Math.abs(value);
  if (value % 1 !== 0 && size < 100) decimals = Math.max(decimals, 1);
  if (value && Number(size.toFixed(decimals)) === 0) {
    decimals = Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(size))));
  }
  if (size >= 1e15) return minus(value.toExponential(2));
  return (value < 0 && Number(size.toFixed(decimals)) !== 0 ? "\u2212" : "") + written(size, decimals, size >= 1e4);
}

const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);

function shown(column, value) {
  if (Number.isNaN(value)) return column.imputed ? "missing, filled in by the model" : "missing";
  return column.texts ? column.texts[value] : withUnit(fixed(value, column.decimals), column.unit);
}

// A value beside what is usual: "2721 km/h, usually 1739 ± 218 km/h".
function beside(column, value) {
  if (column.beside && !Number.isNaN(value)) return column.beside[value];
  return column.usual ? `${shown(column, value)}, ${column.usual}` : shown(column, value);
}

function factor(size) {
  const times = Math.exp(Math.min(size, Math.log(1e6)));
  return times < 1.095 ? times.toFixed(2) : times < 9.95 ? times.toFixed(1) : written(times, 0);
}

// What an amount of relevance does: scale "odds", "share" or "amount".
function effect(relevance, scale, unit) {
  const size = Math.abs(relevance);
  if (!(size > 0)) return Number.isNaN(relevance) ? "has no number" : "does not matter here";
  const up = relevance > 0;
  if (scale === "odds") {
    if (size < 0.005) return "hardly changes the odds";
    const least = size > Math.log(1e6) ? "more than " : "";
    return `${up ? "raises" : "lowers"} the odds ${least}${up ? "×" : "÷"}${factor(size)}`;
  }
  const amount = scale === "share" ? `${number(100 * size)} percentage points` : withUnit(number(size), unit);
  return up ? `adds ${amount}` : `takes away ${amount}`;
}

function percent(share) {
  const whole = Math.round(100 * share);
  if (share > 0 && whole === 0) return "<1 %";
  return share < 1 && whole === 100 ? ">99 %" : `${whole} %`;
}

function predicted(value, scale, unit) {
  if (scale === "odds") return `${number(value)}, a probability of ${percent(1 / (1 + Math.exp(-value)))}`;
  return scale === "share" ? `${number(value)}, or ${number(100 * value)} %` : withUnit(number(value), unit);
}
