/**
 * Values written in attributes: strict JSON, or the relaxed object text of many templates (`{ text: 'None' }`,
 * single quotes, trailing commas, comments). A small parser, because an attribute must never be run as a program.
 * `template_values.py` reads the same grammar in Python.
 */

const MOST_DEPTH = 64;
const ESCAPES = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", 0: "\0", v: "\v" };
const NUMBER = /[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?/y;
const COMMENT = /\/\/[^\n\r]*|\/\*[^]*?\*\//y;
const WORD = /[\p{L}_$][\p{L}\p{N}_$-]*/uy;
const WORDS = { true: true, false: false, null: null };

/**
 * The value of a relaxed text.
 * @param {string} text
 * @returns {any}
 * @throws {SyntaxError} naming the character where the text goes wrong
 */
export function parseRelaxed(text) {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.space();
  if (reader.at < text.length) reader.fail("nothing more");
  return value;
}

class Reader {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  /** @param {string} expected @returns {never} */
  fail(expected) {
    const found = this.at < this.text.length ? `"${this.text[this.at]}"` : "the end";
    throw new SyntaxError(`expected ${expected} at character ${this.at + 1}, found ${found}`);
  }

  space() {
    do {
      while (/\s/.test(this.text[this.at] ?? "")) this.at += 1;
    } while (this.read(COMMENT));
  }

  /** @param {string} character */
  next(character) {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  /** @param {number} depth @returns {any} */
  value(depth) {
    if (depth > MOST_DEPTH) this.fail("less nesting");
    if (this.next("{")) return this.object(depth);
    if (this.next("[")) return this.array(depth);
    const start = this.text[this.at];
    if (start === '"' || start === "'") return this.string();
    const number = this.read(NUMBER);
    if (number) return Number(number);
    const word = this.word();
    if (!Object.hasOwn(WORDS, word)) {
      this.at -= word.length;
      this.fail("a value");
    }
    return WORDS[word];
  }

  /** @param {number} depth */
  object(depth) {
    const entries = [];
    while (!this.next("}")) {
      if (entries.length && !this.next(",")) this.fail('"," or "}"');
      if (entries.length && this.next("}")) break;
      this.space();
      const quoted = this.text[this.at] === '"' || this.text[this.at] === "'";
      const key = quoted ? this.string() : this.word();
      if (!quoted && !key) this.fail("a name");
      if (!this.next(":")) this.fail('":"');
      entries.push([key, this.value(depth + 1)]);
    }
    // fromEntries defines own properties: a key "__proto__" is just a key.
    return Object.fromEntries(entries);
  }

  /** @param {number} depth */
  array(depth) {
    const items = [];
    while (!this.next("]")) {
      if (items.length && !this.next(",")) this.fail('"," or "]"');
      if (items.length && this.next("]")) break;
      items.push(this.value(depth + 1));
    }
    return items;
  }

  string() {
    const quote = this.text[this.at];
    let value = "";
    for (this.at += 1; this.text[this.at] !== quote; this.at += 1) {
      if (this.at >= this.text.length) this.fail(`a closing ${quote}`);
      value += this.text[this.at] === "\\" ? this.escape() : this.text[this.at];
    }
    this.at += 1;
    return value;
  }

  escape() {
    this.at += 1;
    const letter = this.text[this.at];
    if (letter === undefined) this.fail("an escaped character");
    if (letter !== "u") return ESCAPES[letter] ?? letter;
    const code = this.text.slice(this.at + 1, this.at + 5);
    if (!/^[0-9a-fA-F]{4}$/.test(code)) this.fail("four hexadecimal digits");
    this.at += 4;
    return String.fromCharCode(parseInt(code, 16));
  }

  word() {
    return this.read(WORD);
  }

  /** What the (sticky) pattern finds here, without looking at the rest again. @param {RegExp} pattern */
  read(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }
}
