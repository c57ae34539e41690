// Columns of whole numbers as report/packing.py writes them: seven bits a byte, the lowest first, in base64.
function unpack(text, count) {
  const bytes = atob(text);
  const numbers = new Float64Array(count);
  let at = 0;
  for (let row = 0; row < count; row++) {
    let value = 0, factor = 1, byte;
    do {
      byte = bytes.charCodeAt(at++);
      value += (byte & 127) * factor;
      factor *= 128;
    } while (byte > 127);
    numbers[row] = value;
  }
  return numbers;
}

function unpackSorted(text, count) {
  const numbers = unpack(text, count);
  for (let row = 1; row < count; row++) numbers[row] += numbers[row - 1];
  return numbers;
}

function unpackSigned(text, count) {
  return unpack(text, count).map((value) => (value % 2 ? -(value + 1) / 2 : value / 2));
}
