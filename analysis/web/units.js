// Numbers as people read them: three figures that matter, and the unit. The same as reporters/units.py.
const TIMES = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
const SIZES = [[2 ** 50, "PiB"], [2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];

function scaled(number, units) {
  const [factor, unit] = units.find(([least]) => number >= least) ?? units[units.length - 1];
  const value = number / factor;
  if (Number.isInteger(value)) return `${value} ${unit}`;
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}

function duration(ns) {
  if (ns >= 3600e9) {
    const minutes = Math.round(ns / 60e9);
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  }
  return scaled(Math.round(ns), TIMES);
}

const size = (bytes) => scaled(Math.round(bytes), SIZES);
const bandwidth = (perSecond) => `${size(perSecond)}/s`;
const count = (number) => Math.round(number).toLocaleString("en-US");
const percent = (share) => (share >= 0.995 ? "100 %" : `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`);

// A moment of the run, in microseconds since its start, in the unit that fits the step between two of them.
function moment(us, step = 0) {
  const unit = Math.max(step, 0) >= 1e6 || (!step && us >= 1e6) ? [1e6, "s"] : step >= 1e3 || (!step && us >= 1e3) ? [1e3, "ms"] : [1, "µs"];
  const digits = step ? Math.max(0, Math.ceil(-Math.log10(step / unit[0]) - 1e-9)) : us / unit[0] < 10 ? 3 : us / unit[0] < 100 ? 2 : 1;
  return `${(us / unit[0]).toFixed(unit[1] === "µs" && !step ? 0 : digits)} ${unit[1]}`;
}

// A moment as exactly as a selection of some length needs it.
function exactly(us, length) {
  const digits = Math.min(6, Math.max(0, Math.ceil(-Math.log10(Math.max(length, 1) / 1e6)) + 2));
  return `${(us / 1e6).toFixed(digits)} s`;
}

const date = (us) => new Date(us / 1000).toISOString().replace("T", " ").slice(0, 19) + " UTC";

// About `wanted` round steps over a length: 1, 2 or 5 times a power of ten.
function niceStep(length, wanted) {
  const rough = Math.max(length / Math.max(wanted, 1), 1e-9);
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
}
