/** The two clocks of a task: what is left by the server's time, and how long somebody was really at work. */

const WARNINGS = [300, 60, 10];
// Looking at an image without touching anything is work; after this long it is taken for a pause.
const IDLE = 60_000;

/** The time that is left, from the server's clock at load and this page's monotonic one since then. */
export class Countdown {
  /** @param {string} now the server's time @param {string} until @param {{tick, warn, end}} listeners seconds */
  constructor(now, until, listeners) {
    this.listeners = listeners;
    this.restart(now, until);
    setInterval(() => this.look(), 250);
  }

  restart(now, until) {
    this.end = performance.now() + Date.parse(until) - Date.parse(now);
    this.ended = false;
    this.warned = WARNINGS.filter((seconds) => this.left <= seconds);
    this.look();
  }

  /** Seconds, 0 at the end. */
  get left() {
    return Math.max(0, (this.end - performance.now()) / 1000);
  }

  look() {
    if (this.ended) return;
    const left = this.left;
    this.listeners.tick(left);
    for (const seconds of WARNINGS) {
      if (left <= seconds && !this.warned.includes(seconds)) {
        this.warned.push(seconds);
        if (left > 0) this.listeners.warn(left);
      }
    }
    if (left === 0) {
      this.ended = true;
      this.listeners.end();
    }
  }
}

/** Seconds at work. Counts from one sign of life to the next unless the tab was hidden or they lie far apart. */
export class ActiveTime {
  constructor() {
    this.restart();
  }

  restart() {
    this.total = 0;
    this.last = document.hidden ? null : performance.now();
  }

  /** Somebody is at work now. */
  note() {
    const now = performance.now();
    if (this.last !== null) this.total += Math.min(now - this.last, IDLE);
    this.last = now;
  }

  /** Nobody is, until the next sign of life. */
  pause() {
    if (this.last !== null) this.note();
    this.last = null;
  }

  get seconds() {
    if (this.last !== null) this.note();
    return Math.round(this.total) / 1000;
  }
}

/** "2 h 5 min", "3 min 20 s", "45 s". @param {number} seconds */
export function inWords(seconds) {
  const whole = Math.ceil(seconds);
  if (whole >= 172_800) return `${Math.floor(whole / 86_400)} days`;
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  if (whole >= 600) return `${Math.floor(whole / 60)} min`;
  if (whole >= 60) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${whole} s`;
}
