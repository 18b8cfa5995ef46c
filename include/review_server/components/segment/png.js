/**
 * A mask as a PNG file: eight bits a pixel with a palette. Written here and not by a canvas, because browsers that
 * protect against fingerprints change what they let a page read of a canvas, and every pixel is an answer.
 *
 * The file format is PNG (ISO/IEC 15948); its data are deflated (RFC 1951) in one block of fixed codes. A mask is
 * runs of equal pixels and rows like the one above, so only these two are looked for.
 */

const LONGEST = 258;
const FARTHEST = 32_768;

// RFC 1951, 3.2.5: the least length of codes 257 to 285, and the least distance of codes 0 to 29; their extra bits.
const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCES = Array.from({ length: 30 }, (_, code) =>
  code < 4 ? code + 1 : (2 + (code & 1)) * 2 ** ((code >> 1) - 1) + 1);

/**
 * @param {Uint8Array} pixels palette indices, row by row @param {number} width @param {number} height
 * @param {string[]} palette colours as #rrggbb; the first one, which is nobody's, is written as transparent
 * @returns {string} the file in base64
 */
export function pngOf(pixels, width, height, palette) {
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y += 1) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const colours = palette.flatMap((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  const file = new Bytes();
  file.put([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  chunk(file, "IHDR", [...bigEndian(width), ...bigEndian(height), 8, 3, 0, 0, 0]);
  chunk(file, "PLTE", colours);
  chunk(file, "tRNS", [0]);
  chunk(file, "IDAT", deflated(rows, width + 1));
  chunk(file, "IEND", []);
  return base64(file.all());
}

/** The rows as a zlib stream. @param {Uint8Array} rows @param {number} stride bytes of a row */
function deflated(rows, stride) {
  const out = new Bytes();
  out.put([0x78, 0x01]);
  const bits = new Bits(out);
  bits.put(0b011, 3); // the last block, with fixed codes
  const above = stride <= FARTHEST ? stride : 0;
  for (let at = 0; at < rows.length;) {
    const run = at >= 1 ? alike(rows, at, 1) : 0;
    const row = above && at >= above && run < LONGEST ? alike(rows, at, above) : 0;
    const length = Math.max(run, row);
    if (length < LENGTHS[0]) {
      bits.symbol(rows[at]);
      at += 1;
    } else {
      bits.match(length, row > run ? above : 1);
      at += length;
    }
  }
  bits.symbol(256);
  bits.flush();
  out.put(bigEndian(adler32(rows)));
  return out.all();
}

/** How many bytes from `at` on are those `distance` before them. */
function alike(rows, at, distance) {
  const most = Math.min(LONGEST, rows.length - at);
  let length = 0;
  while (length < most && rows[at + length] === rows[at + length - distance]) length += 1;
  return length;
}

class Bytes {
  constructor() {
    this.held = new Uint8Array(4096);
    this.length = 0;
  }

  /** @param {ArrayLike<number>} bytes */
  put(bytes) {
    if (this.length + bytes.length > this.held.length) {
      const larger = new Uint8Array(Math.max(this.held.length * 2, this.length + bytes.length));
      larger.set(this.held);
      this.held = larger;
    }
    this.held.set(bytes, this.length);
    this.length += bytes.length;
  }

  all() {
    return this.held.subarray(0, this.length);
  }
}

/** Bits into bytes, the lowest first; Huffman codes come with their highest bit first. */
class Bits {
  constructor(out) {
    this.out = out;
    this.held = 0;
    this.count = 0;
  }

  put(value, count) {
    this.held |= value << this.count;
    this.count += count;
    while (this.count >= 8) {
      this.out.put([this.held & 255]);
      this.held >>>= 8;
      this.count -= 8;
    }
  }

  /** A literal byte, the end (256), or the code of a length: RFC 1951, 3.2.6. */
  symbol(value) {
    if (value < 144) this.code(0x30 + value, 8);
    else if (value < 256) this.code(0x190 + value - 144, 9);
    else if (value < 280) this.code(value - 256, 7);
    else this.code(0xc0 + value - 280, 8);
  }

  match(length, distance) {
    const long = codeOf(LENGTHS, length);
    this.symbol(257 + long);
    this.put(length - LENGTHS[long], LENGTH_BITS[long]);
    const far = codeOf(DISTANCES, distance);
    this.code(far, 5);
    this.put(distance - DISTANCES[far], far < 4 ? 0 : (far >> 1) - 1);
  }

  code(value, count) {
    for (let bit = count - 1; bit >= 0; bit -= 1) this.put((value >> bit) & 1, 1);
  }

  flush() {
    if (this.count) this.put(0, 8 - this.count);
  }
}

/** The last code whose least value is no more than `value`. */
function codeOf(leasts, value) {
  let code = leasts.length - 1;
  while (leasts[code] > value) code -= 1;
  return code;
}

function chunk(file, name, data) {
  const named = new Uint8Array(4 + data.length);
  named.set([...name].map((letter) => letter.charCodeAt(0)));
  named.set(data, 4);
  file.put(bigEndian(data.length));
  file.put(named);
  file.put(bigEndian(crc32(named)));
}

function bigEndian(value) {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function adler32(bytes) {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return ((b << 16) | a) >>> 0;
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(text);
}
