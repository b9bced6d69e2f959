// The address bar is the state of the page: every view can be sent as a link, and the back button works. These read and write it.
(function () {
  "use strict";
  const EMPTY = { state: "", q: "", sort: "index" }; // what a part means that the address leaves out

  const dash = () => window.dash_clientside;

  function spelled(character) {
    const named = { "\t": "\\t", "\r": "\\r" }[character];
    const code = character.codePointAt(0);
    const wide = code > 0xffff ? ["\\U", 8] : code > 0xff ? ["\\u", 4] : ["\\x", 2];
    return named || wide[0] + code.toString(16).padStart(wide[1], "0");
  }

  // Several presses can change the address before a callback sees the first change: each goes on from the one before, not from what it was told.
  const behind = new Set(); // addresses that were left for `ahead`
  let ahead = null;
  const latest = (search) => (behind.has(search || "") ? ahead : search || "");
  const arrived = () => behind.clear();
  window.addEventListener("popstate", arrived);

  window.guessbook = {
    latest,

    // The address is `search` by now.
    arrivedAt: (search) => (search || "") === ahead && arrived(),

    set: (id, props) => dash().set_props(id, props),
    same: () => dash().no_update,
    pressed: () => dash().callback_context.triggered_id,
    count: (number) => number.toLocaleString("en-US"),

    // Foreign text with what would hide in it, or turn what follows, spelled out; as clients/visible.py does.
    visible: (text) => text.replace(/(?![\n\u200c\u200d])[\p{C}\p{Zl}\p{Zp}]/gu, spelled),

    read: function (search) {
      const given = new URLSearchParams(search || "");
      return (name) => given.get(name) || EMPTY[name] || "";
    },

    // The URL's query with some of it changed; null takes a part out. `same()` where nothing is.
    changed: function (search, changes) {
      const from = latest(search);
      const query = new URLSearchParams(from);
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === "" || value === EMPTY[name]) query.delete(name);
        else query.set(name, String(value));
      }
      const text = query.toString();
      const next = text ? "?" + text : "";
      if (next === from) return dash().no_update;
      behind.add(search || "").add(from).delete(next);
      ahead = next;
      return next;
    },

    // Functions for callbacks in the browser (browser.py).
    callbacks: function (functions) {
      window.dash_clientside = window.dash_clientside || {};
      const known = (window.dash_clientside.guessbook = window.dash_clientside.guessbook || {});
      for (const name of Object.keys(functions)) if (name in known) throw new Error("two callbacks are called " + name);
      Object.assign(known, functions);
    },
  };

  // A link within a page changes its view and nothing else; Dash's own would scroll to the top besides.
  document.addEventListener("click", function (event) {
    const link = event.target.closest && event.target.closest("a.in-page");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const query = new URL(link.href).search;
    if (query !== location.search) window.guessbook.set("url", { search: query });
  });
})();
