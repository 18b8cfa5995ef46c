/**
 * What the browser keeps for one person under names: bounded, the oldest go first. Storage that is forbidden or full
 * is never the reason for a failure; then nothing is kept.
 */

const PREFIX = "nightloop-kept";

export class Store {
  /**
   * @param {string} kind of what is kept @param {string} worker whose it is
   * @param {{most: number, characters: number}} limits entries of a kind, and of one entry
   */
  constructor(kind, worker, { most, characters }) {
    this.kind = `${PREFIX}:${kind}:`;
    this.own = `${this.kind}${encodeURIComponent(worker)}:`;
    this.most = most;
    this.characters = characters;
  }

  /** @param {string} name @returns {any} null when nothing is kept */
  get(name) {
    try {
      return JSON.parse(localStorage.getItem(this.own + name))?.value ?? null;
    } catch {
      return null;
    }
  }

  /** @param {string} name @param {any} value @returns {boolean} whether it is kept now */
  set(name, value) {
    try {
      const text = JSON.stringify({ at: Date.now(), value });
      if (text.length > this.characters) return false;
      this.makeRoom(this.own + name);
      while (!wrote(this.own + name, text)) if (!this.dropOldest(this.own + name)) return false;
      return true;
    } catch {
      return false;
    }
  }

  /** @param {string} name */
  remove(name) {
    try {
      localStorage.removeItem(this.own + name);
    } catch {
      // Then it was not kept either.
    }
  }

  makeRoom(key) {
    while (this.others(key).length >= this.most) this.dropOldest(key);
  }

  /** Everybody's entries of this kind but the one, oldest first. */
  others(key) {
    const at = (other) => Number(/^\{"at":(\d+)/.exec(localStorage.getItem(other) ?? "")?.[1] ?? 0);
    const keys = Object.keys(localStorage).filter((other) => other.startsWith(this.kind) && other !== key);
    return keys.sort((one, two) => at(one) - at(two));
  }

  dropOldest(key) {
    const [oldest] = this.others(key);
    if (oldest) localStorage.removeItem(oldest);
    return Boolean(oldest);
  }
}

/** Nothing that somebody was at is left in this browser; the server has it. @param {string} worker */
export function forgetDrafts(worker) {
  try {
    const own = `${PREFIX}:draft:${encodeURIComponent(worker)}:`;
    for (const key of Object.keys(localStorage)) if (key.startsWith(own)) localStorage.removeItem(key);
  } catch {
    // Then nothing was kept.
  }
}

function wrote(key, text) {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch (error) {
    if (error.name === "QuotaExceededError") return false;
    throw error;
  }
}
