// The address bar is the state of the page: every view can be sent as a link, and the back button works. These read and write it.
(function () {
  "use strict";
  const EMPTY = { state: "", q: "", sort: "index" }; // what a part means that the address leaves out

  const dash = () => window.dash_clientside;

  window.guessbook = {
    set: (id, props) => dash().set_props(id, props),
    same: () => dash().no_update,
    pressed: () => dash().callback_context.triggered_id,
    count: (number) => number.toLocaleString("en-US"),

    read: function (search) {
      const given = new URLSearchParams(search || "");
      return (name) => given.get(name) || EMPTY[name] || "";
    },

    // The URL's query with some of it changed; null takes a part out. `same()` where nothing is.
    changed: function (search, changes) {
      const query = new URLSearchParams(search || "");
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === "" || value === EMPTY[name]) query.delete(name);
        else query.set(name, String(value));
      }
      const text = query.toString();
      const next = text ? "?" + text : "";
      return next === (search || "") ? dash().no_update : next;
    },

    // Functions for callbacks in the browser (browser.py).
    callbacks: function (functions) {
      window.dash_clientside = window.dash_clientside || {};
      const known = (window.dash_clientside.guessbook = window.dash_clientside.guessbook || {});
      for (const name of Object.keys(functions)) if (name in known) throw new Error("two callbacks are called " + name);
      Object.assign(known, functions);
    },
  };
})();
