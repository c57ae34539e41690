// Canvases: sharp on every screen, in the theme's colours, redrawn when their size changes.
const probe = el("span", { hidden: true });
document.body.append(probe);
let tones = new Map();

// A colour of the styles, such as "var(--ink)", as a canvas understands it.
function tone(name) {
  if (!tones.has(name)) {
    probe.style.color = name;
    tones.set(name, getComputedStyle(probe).color);
  }
  return tones.get(name);
}

let printing = false;
function canvasContext(canvas, cssHeight) {
  const ratio = printing ? 2 : Math.min(devicePixelRatio || 1, 3);
  const width = Math.max(1, Math.floor(canvas.clientWidth || canvas.parentElement?.clientWidth || 300));
  const height = Math.max(1, Math.floor(cssHeight ?? canvas.clientHeight));
  if (cssHeight !== undefined) canvas.style.height = `${height}px`;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  context.textBaseline = "middle";
  return { context, width, height };
}

const resized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    if (Math.abs((target.lastWidth ?? -1) - contentRect.width) < 1) continue;
    target.lastWidth = contentRect.width;
    invalidate();
  }
});

// The time axis of charts whose whole width is a part of the run.
function timeAxis(context, { left, width, from, to, y, bottom, wanted = Math.max(2, width / 110) }) {
  const step = Math.max(1, niceStep(to - from, wanted));
  context.fillStyle = tone("var(--muted)");
  context.strokeStyle = tone("var(--line)");
  context.lineWidth = 1;
  context.textAlign = "left";
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const x = Math.round(left + ((at - from) / (to - from)) * width) + 0.5;
    context.beginPath();
    context.moveTo(x, y + 7);
    context.lineTo(x, bottom);
    context.stroke();
    const label = momentLabel(at, step);
    if (x + 4 + context.measureText(label).width < left + width) context.fillText(label, x + 4, y);
  }
}

function momentLabel(us, step) {
  const [factor, unit] = step >= 1e5 || SPAN >= 1e7 && step >= 1e4 ? [1e6, "s"] : step >= 100 ? [1e3, "ms"] : [1, "µs"];
  return `${(us / factor).toFixed(Math.max(0, Math.ceil(-Math.log10(step / factor) - 1e-9)))} ${unit}`;
}

const heatStops = [0, 1, 2, 3, 4].map((stop) => `var(--heat-${stop})`);
// 256 colours from nothing to most.
function heatScale() {
  const stops = heatStops.map((stop) => tone(stop).match(/[\d.]+/g).slice(0, 3).map(Number));
  return Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(place));
    return `rgb(${stops[low].map((from, channel) => Math.round(from + (stops[low + 1][channel] - from) * (place - low))).join(" ")})`;
  });
}

// Dragging sideways over a canvas selects time; a click without dragging is handed on.
function dragSelects(canvas, timeAt, onClick) {
  let start = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = { x: event.clientX, time: timeAt(event) };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!start) return;
    canvas.pending = Math.abs(event.clientX - start.x) > 3 ? [start.time, timeAt(event)] : null;
    canvas.dispatchEvent(new CustomEvent("pending"));
  });
  const finish = (event) => {
    if (!start) return;
    const { pending } = canvas;
    start = canvas.pending = null;
    if (pending) select(...pending);
    else if (event.type === "pointerup") onClick?.(event);
    canvas.dispatchEvent(new CustomEvent("pending"));
  };
  canvas.addEventListener("pointerup", finish);
  canvas.addEventListener("pointercancel", finish);
}
