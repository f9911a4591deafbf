// Elements, bars and colours. Text of others is only ever set as text.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Text of others keeps its direction to itself, and breaks behind underscores and slashes first.
const own = (text) => make("bdi", {}, ...text.split(/(?<=[_/])/).flatMap((piece, i) => (i ? [make("wbr"), piece] : [piece])));

const count = (size, thing) => `${size.toLocaleString("en")} ${thing}${size === 1 ? "" : "s"}`;

// A bar from one part of its track to another, in parts of its width.
function bar(from, to, look) {
  const piece = make("span", { class: `piece ${look}` });
  const [left, right] = [Math.min(from, to), Math.max(from, to)];
  piece.style.left = `${100 * left}%`;
  piece.style.width = `max(1px, ${100 * (right - left)}%)`;
  return piece;
}

const track = (...pieces) => make("span", { class: "track", "aria-hidden": "true" }, ...pieces);
const finite = (value) => (Number.isFinite(value) ? value : 0);
const look = (value) => (value < 0 ? "down" : "up");

// Whether the page is dark, read anew when the system or the reader changes it.
let dark = false;
function readTheme() {
  dark = getComputedStyle(document.documentElement).getPropertyValue("--dark").trim() === "1";
}
readTheme();

const blend = (a, b, share) => a.map((from, i) => Math.round(from + (b[i] - from) * share));
const css = (color) => `rgb(${color.join(" ")})`;

// Relevance, from -1 to 1: blue over the page's own ground to red.
function relevanceColor(share) {
  const ground = dark ? [28, 31, 38] : [255, 255, 255];
  const [red, blue] = dark ? [[240, 90, 100], [80, 155, 230]] : [[204, 51, 64], [47, 116, 184]];
  return blend(ground, share < 0 ? blue : red, Math.min(1, Math.abs(finite(share))));
}

// A magnitude, from 0 to 1: it has no sign, and so neither red nor blue.
function magnitudeColor(share) {
  return blend(dark ? [28, 31, 38] : [255, 255, 255], dark ? [240, 166, 205] : [136, 34, 85], share);
}

// Black or white, whichever is read better on the colour.
function inkOn(color) {
  const [r, g, b] = color.map((each) => {
    const part = each / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

// Values from low to high: of the viridis colours those that stand off the ground.
const VIRIDIS = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];
function valueColor(share) {
  if (Number.isNaN(share)) return [140, 140, 140];
  const [low, high] = dark ? [0.3, 1] : [0, 0.85];
  const place = (low + (high - low) * Math.min(1, Math.max(0, share))) * (VIRIDIS.length - 1);
  const i = Math.min(VIRIDIS.length - 2, Math.floor(place));
  return blend(VIRIDIS[i], VIRIDIS[i + 1], place - i);
}

// A pixel each of the report's images, in its colour (pixel -> [red, green, blue]).
function drawPixels(canvas, color) {
  [canvas.height, canvas.width] = report.shape;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let pixel = 0; pixel < canvas.width * canvas.height; pixel++) {
    image.data.set(color(pixel), 4 * pixel);
    image.data[4 * pixel + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// The picture of a row, or the relevance of its pixels.
function drawImage(canvas, row, what) {
  const size = report.shape[0] * report.shape[1];
  if (what === "relevance") {
    const heat = report.heat.values.subarray((slot() * report.n + row) * size);
    const colors = Array.from({ length: 255 }, (_, i) => relevanceColor((i - 127) / 127));
    drawPixels(canvas, (pixel) => colors[heat[pixel] + 127]);
  } else {
    const [from, shades] = [row * size, report.pictures.values];
    drawPixels(canvas, report.channels === 3
      ? (pixel) => shades.subarray(3 * (from + pixel), 3 * (from + pixel + 1))
      : (pixel) => Array(3).fill(shades[from + pixel]));
  }
}
