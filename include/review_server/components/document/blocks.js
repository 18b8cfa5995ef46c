/**
 * Blocks of a document as Amazon Textract lists them: pairs of a key and a value, whose words are blocks of their own. Names
 * of members are read with a small or a capital first letter (A2I and Textract differ) and written as they were found.
 */

/** @typedef {Record<string, any>} Block */
/** @typedef {{key: Block, value: Block | null}} Pair */

/** @param {Block | undefined} block @param {string} name of a member, with a small first letter */
export function of(block, name) {
  return block?.[name] ?? block?.[capital(name)];
}

export class Blocks {
  /** @param {any} list */
  constructor(list) {
    /** Ours to change. @type {Block[]} */
    this.list = structuredClone((Array.isArray(list) ? list : []).filter((block) => typeof block === "object" && block !== null));
    this.byId = new Map(this.list.map((block) => [of(block, "id"), block]));
    this.capitals = this.list.some((block) => block.BlockType !== undefined);
  }

  /** @returns {Pair[]} in the order of the keys */
  get pairs() {
    return this.list.filter((block) => of(block, "blockType") === "KEY_VALUE_SET" && [of(block, "entityTypes") ?? []].flat().includes("KEY"))
      .map((key) => ({ key, value: this.related(key, "VALUE")[0] ?? null }));
  }

  /** @param {Block} block @param {"CHILD" | "VALUE"} type @returns {Block[]} */
  related(block, type) {
    const relationships = of(block, "relationships");
    return (Array.isArray(relationships) ? relationships : []).filter((relationship) => of(relationship, "type") === type)
      .flatMap((relationship) => of(relationship, "ids") ?? []).map((id) => this.byId.get(id)).filter(Boolean);
  }

  /** What a key or a value says. @param {Block | null} block */
  text(block) {
    if (!block) return "";
    const own = of(block, "text");
    const words = this.related(block, "CHILD").map((word) => of(word, "text") ?? of(word, "selectionStatus") ?? "");
    return words.length ? words.join(" ") : String(own ?? "");
  }

  /** Where it is, as shares of the page. @param {Block | null} block @returns {{left: number, top: number, width: number, height: number} | null} */
  place(block) {
    const box = of(of(block ?? {}, "geometry"), "boundingBox");
    const [left, top, width, height] = ["left", "top", "width", "height"].map((name) => Number(of(box, name)));
    return [left, top, width, height].every(Number.isFinite) ? { left, top, width, height } : null;
  }

  /** Let a key or a value say something else: its first word holds all of it, the others go. @param {Block} block @param {string} text */
  write(block, text) {
    if (text === this.text(block)) return;
    const [first, ...others] = this.related(block, "CHILD");
    const word = first ?? this.add("WORD", { geometry: of(block, "geometry") });
    const name = of(word, "blockType") === "SELECTION_ELEMENT" ? "selectionStatus" : "text";
    word[this.name(name)] = text;
    const gone = new Set(others);
    this.list = this.list.filter((other) => !gone.has(other));
    const kept = [of(block, "relationships") ?? []].flat().filter((relationship) => of(relationship, "type") !== "CHILD");
    block[this.name("relationships")] = [...kept, this.named({ type: "CHILD", ids: [of(word, "id")] })];
  }

  /** The value of a key that has none. @param {Block} key @returns {Block} */
  addValue(key) {
    const value = this.add("KEY_VALUE_SET", { entityTypes: ["VALUE"], relationships: [] });
    key[this.name("relationships")] = [...(of(key, "relationships") ?? []), this.named({ type: "VALUE", ids: [of(value, "id")] })];
    return value;
  }

  /** A pair that the document's reading has missed. @param {string} text of its key @returns {Pair} */
  addPair(text) {
    const key = this.add("KEY_VALUE_SET", { entityTypes: ["KEY"], relationships: [] });
    this.write(key, text);
    return { key, value: this.addValue(key) };
  }

  /** @private */
  add(blockType, members) {
    let number = 1;
    while (this.byId.has(`added-${number}`)) number += 1;
    const block = this.named({ blockType, id: `added-${number}`, ...members });
    this.list.push(block);
    this.byId.set(of(block, "id"), block);
    return block;
  }

  /** @private */
  name(name) {
    return this.capitals ? capital(name) : name;
  }

  /** @private */
  named(members) {
    return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)
      .map(([name, value]) => [this.name(name), value]));
  }
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}
