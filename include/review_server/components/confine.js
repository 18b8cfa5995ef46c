/**
 * The first script of every task's page, before any of the template's: it keeps what goes wrong in their scripts, and
 * what could reach another host past the page's policy goes away. `Connection-Allowlist` keeps the same promise inside the browsers that know it; this is
 * for the others, and a second wall for those. It is written into the page, so that nothing runs before it.
 */
(() => {
  "use strict";
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "mozRTCPeerConnection", "RTCIceGatherer",
    "RTCIceTransport", "WebTransport"]) {
    // Not configurable: a template cannot put back what it does not have.
    if (name in self) Object.defineProperty(self, name, { value: undefined, writable: false, configurable: false });
  }
  // A page within this page would be a realm with all of that again. Its policy lets none come from an address, so
  // what is left is a document written in an attribute; the observer is called before such a document begins.
  const watch = (root) => new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) [target, ...addedNodes].forEach(clear);
  }).observe(root, { attributes: true, attributeFilter: ["src", "srcdoc"], childList: true, subtree: true });
  const clear = (node) => {
    if (!(node instanceof Element)) return;
    for (const frame of [node, ...node.querySelectorAll("iframe, frame")]) {
      if (!frame.matches("iframe[srcdoc], iframe[src], frame[src]")) continue;
      frame.remove();
      // It went before the policy could say that it is blocked.
      const address = frame.getAttribute("src") ?? "";
      if (/^(https?:)?\/\//i.test(address)) take({ frame: address });
    }
  };
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function attachShadow(options) {
    const root = attach.call(this, options);
    watch(root);
    return root;
  };
  watch(document);

  // What scripts that are written into the page, as this one is, looked for and did not find: it goes along with the
  // exception that follows, and explains it (core/causes.js).
  const LATEST = 20;
  let sought = [];
  const missed = (what) => (sought = [...sought.slice(1 - LATEST), String(what).slice(0, 160)]);
  const note = (what) => {
    const [own, , caller] = [...String(new Error().stack).matchAll(/(?:[(@\s])([^\s(@]+):(\d+):\d+\)?$/gm)];
    if (caller && caller[1] === own[1]) missed(`${what} (line ${caller[2]})`);
  };
  /** @param {any} owner @param {string} name */
  const follow = (owner, name) => {
    const find = owner[name];
    owner[name] = function (selector) {
      const found = find.apply(this, arguments);
      if (found === null) note(`"${selector}"${this === document ? "" : ` inside of <${this.localName}>`}`);
      return found;
    };
  };
  follow(Document.prototype, "querySelector");
  follow(Document.prototype, "getElementById");
  follow(Element.prototype, "querySelector");
  const shadow = Object.getOwnPropertyDescriptor(Element.prototype, "shadowRoot");
  Object.defineProperty(Element.prototype, "shadowRoot", { ...shadow, get() {
    const root = shadow.get.call(this);
    if (root === null && this.localName.startsWith("crowd-")) {
      note(`the inside of <${this.localName}>, which was not ready: wait for all-crowd-elements-ready`);
    }
    return root;
  } });

  // What goes wrong in the template's scripts before the components run is kept until these take it.
  const MOST = 50;
  const faults = [];
  let take = (event) => faults.length < MOST && faults.push(event);
  for (const type of ["error", "unhandledrejection", "securitypolicyviolation"]) {
    // Capture: an image that fails is told to nobody above it.
    self.addEventListener(type, (event) => {
      if (event instanceof ErrorEvent || event instanceof PromiseRejectionEvent) {
        Object.assign(event, { sought });
        sought = [];
      }
      take(event);
    }, true);
  }
  Object.defineProperty(self, "nightloopFaults", { value: Object.freeze({ missed, take(read) {
    take = read;
    faults.splice(0).forEach(read);
  } }) });
})();
