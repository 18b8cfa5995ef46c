/**
 * What a key means, whatever the keyboard's layout. A Latin letter is where it is printed (Ctrl+Z on a French keyboard);
 * where the layout prints another alphabet, or a sign that means nothing here, the key's place counts (Ctrl+Я, ² and ù).
 * So it does with a Mac's Option, which makes other signs of letters (Option+Z is Ω), and does not tell what is printed.
 * The row of digits gives digits, shifted or not: a French one prints them only with Shift.
 */

const SIGNS = "[]/?+-,.";
// What stands at a place of the US keyboard.
const PLACES = {
  BracketLeft: "[", BracketRight: "]", Slash: "/", Minus: "-", Equal: "+", Comma: ",", Period: ".",
  NumpadAdd: "+", NumpadSubtract: "-", NumpadDivide: "/",
};
const WORDS = {
  " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "-": "−",
};

/**
 * The name of a key: "a" … "z", "0" … "9", one of [ ] / ? + - , . or the browser's own name ("Enter", "ArrowLeft").
 * @param {{code?: string, key?: string, shiftKey?: boolean}} event what a browser fills in by itself comes without a key
 * @returns {string} "" for a key that means nothing here
 */
export function keyName({ code = "", key = "", shiftKey = false }) {
  // "Dead", "Process" (an input method) and "Unidentified" say nothing of the key; its place does.
  const named = key.length > 1 && !["Dead", "Process", "Unidentified"].includes(key);
  if (named) return key;
  if (key === " ") return key;
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(code)?.[1];
  // A German "/" is Shift+7, a Russian "?" too. Unshifted, the same place is a digit.
  if (digit && shiftKey && (key === "/" || key === "?")) return key;
  // AltGr gives brackets where a layout has them on digits.
  if (key === "[" || key === "]") return key;
  if (digit) return digit;
  const low = key.toLowerCase();
  if (/^[a-z0-9]$/.test(low) || SIGNS.includes(low)) return low;
  if (key === "=") return "+";
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  if (letter) return letter.toLowerCase();
  const sign = PLACES[code] ?? "";
  return sign === "/" && shiftKey ? "?" : sign;
}

/**
 * A key with what is held, always in the same order: "z", "Ctrl+Shift+z", "Alt+ArrowLeft". Command is Ctrl. Shift is
 * not named with a sign: it is how some layouts make it.
 * @param {any} event a KeyboardEvent, or what a message tells of one
 */
export function chordOf(event) {
  const name = keyName(event);
  if (!name) return "";
  const sign = SIGNS.includes(name);
  // With AltGr, Windows tells of Ctrl and Alt too. On a Mac, Firefox tells of AltGr where Option alone is held: that is Alt.
  const typed = event.ctrlKey && event.altKey && (event.getModifierState?.("AltGraph") ?? false);
  const held = [
    (event.ctrlKey || event.metaKey) && !typed && "Ctrl", event.altKey && !typed && "Alt", event.shiftKey && !sign && "Shift",
  ];
  return [...held.filter(Boolean), name].join("+");
}

/** A chord as people read it. @param {string} chord */
export function chordText(chord) {
  const [, held, name] = /^((?:[A-Z][a-z]+\+(?=.))*)(.+)$/.exec(chord) ?? [chord, "", chord];
  const word = WORDS[name] ?? (name.length === 1 ? name.toUpperCase() : name);
  return `${held}${word}`.replaceAll("+", " + ").replace(" +  + ", " + +").replace(/^ \+ $/, "+").trim();
}
