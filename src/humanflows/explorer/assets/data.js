/* Parts of data: scripts that lie beside the page hand them over, packed as explorer/packing.py says. */
"use strict";
HF.data = (() => {
  const received = new Map(), opened = new Map();
  const NO_NUMBER = -(2 ** 31);

  /* Called by the scripts of the parts. */
  function receive(name, about, packed) {
    received.set(name, { about, packed });
  }

  const SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
  const VALUE = new Uint8Array(128);
  for (let k = 0; k < SIGNS.length; k++) VALUE[SIGNS.charCodeAt(k)] = k;

  /* Bytes of a text in base 85: five signs for four bytes, the highest first; the last group may be short. */
  function bytesOf(text) {
    const groups = Math.ceil(text.length / 5), bytes = new Uint8Array(groups * 4), view = new DataView(bytes.buffer);
    for (let g = 0; g < groups; g++) {
      let value = 0;
      for (let k = 5 * g; k < 5 * g + 5; k++) value = value * 85 + (k < text.length ? VALUE[text.charCodeAt(k)] : 84);
      view.setUint32(4 * g, value);
    }
    return bytes.subarray(0, bytes.length - (5 * groups - text.length));
  }

  async function inflate(text) {
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /* One array: planes of bytes, zigzag, sums along each row that wrap at the array's width. */
  function unroll(bytes, at, { width, rows, length }) {
    const size = rows * length;
    const out = width === 1 ? new Uint8Array(size) : width === 2 ? new Uint16Array(size) : new Int32Array(size);
    for (let r = 0, k = 0; r < rows; r++) {
      let sum = 0;
      for (let c = 0; c < length; c++, k++) {
        let zigzag = bytes[at + k];
        for (let w = 1; w < width; w++) zigzag += bytes[at + w * size + k] * 2 ** (8 * w);
        sum += zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
        out[k] = sum;                 // typed arrays wrap, as the differences did
      }
    }
    return out;
  }

  async function unpack(name) {
    const { about, packed } = received.get(name);
    const bytes = packed ? await inflate(packed) : new Uint8Array(0);
    const part = { name, about };
    let at = 0;
    for (const shape of about.arrays) {
      part[shape.name] = unroll(bytes, at, shape);
      at += shape.width * shape.rows * shape.length;
    }
    received.delete(name);
    return part;
  }

  function fetchScript(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${name}.data.js`;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`the file ${name}.data.js is not beside this page`));
      document.head.append(script);
    });
  }

  const has = (name) => name in HF.data.contents.parts;
  const ready = new Map();

  /* A part, loaded when first asked for; null where the page has none. */
  function load(name) {
    if (!has(name)) return Promise.resolve(null);
    if (!opened.has(name)) {
      opened.set(name, (async () => {
        if (!received.has(name)) await fetchScript(name);
        const part = await unpack(name);
        ready.set(name, part);
        return part;
      })());
    }
    return opened.get(name);
  }

  /* A part that is there already, or null. */
  const get = (name) => ready.get(name) || null;

  /* Persons of a code, as explorer/packing.py makes them. */
  function persons(code, digits) {
    const limit = 10 ** digits;
    if (code < limit) return code;
    const step = (9 * limit) / 10, beyond = code - limit;
    return ((beyond % step) + limit / 10) * 10 ** (Math.floor(beyond / step) + 1);
  }

  /* Share of a code, as explorer/packing.py makes them: thousandths near both ends, steps of edge thousandths between. */
  function share(code, edge) {
    const high = edge + 1000 / edge - 2;        // the code of 1000 - edge thousandths
    return (code <= edge ? code : code >= high ? code - high + 1000 - edge : edge + edge * (code - edge)) / 1000;
  }

  const number = (value) => (value === NO_NUMBER || value === undefined ? null : value);

  return { receive, load, get, has, persons, share, number, contents: { parts: {}, missing: {}, groups: {}, titles: {} } };
})();
