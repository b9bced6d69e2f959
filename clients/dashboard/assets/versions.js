// The page Versions: the tree's look and place, the dialog of the notes.
(function () {
  "use strict";
  const { set, same, read, changed, callbacks } = window.guessbook;

  const EMPTY = { version: null, with: null, change: null, q: null, page: null };

  document.addEventListener("click", function (event) {
    const button = event.target.closest && event.target.closest("[data-note]");
    if (!button) return;
    set("note-version", { data: button.dataset.note });
    set("note-text", { value: button.dataset.text });
    set("note-problem", { children: "" });
    set("note-dialog", { opened: true });
  });

  // ---- the tree: a canvas, so its colours have to be read from the style sheet ----

  const NODE = { width: 158, height: 44 };

  function look(chosen) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue("--" + name).trim();
    const node = (selector, style) => ({ selector, style });
    return [
      node("node", {
        shape: "round-rectangle",
        width: NODE.width,
        height: NODE.height,
        "background-color": colour("surface"),
        "border-width": 1.5,
        "border-color": colour("faint"),
        label: "data(label)",
        color: colour("text"),
        "font-family": "Inter, system-ui, sans-serif",
        "font-size": 11,
        "text-valign": "center",
        "text-wrap": "wrap",
        "text-max-width": NODE.width - 12,
        "line-height": 1.35,
      }),
      node("edge", { width: 1.5, "line-color": colour("faint"), "curve-style": "taxi", "taxi-direction": "rightward", "target-arrow-shape": "triangle", "target-arrow-color": colour("faint"), "arrow-scale": 0.8 }),
      node("node.base", { shape: "rectangle", "background-color": colour("track"), color: colour("dim") }),
      node("node.merged", { shape: "cut-rectangle", "border-width": 4, "border-style": "double", "border-color": colour("dim") }),
      node("node.latest", { "border-color": colour("learned"), "border-width": 2.5 }),
      node("node.deleted", { "border-style": "dashed", "background-color": colour("ground"), color: colour("dim") }),
      node('node[id = "' + chosen.replace(/\W/g, "") + '"]', { "background-color": colour("open"), "border-color": colour("accent"), "border-width": 2.5 }),
    ];
  }

  // As large as fits, but never too small to read; then the chosen version is what is seen.
  function place(elements, chosen) {
    const box = document.querySelector(".version-tree");
    const nodes = elements.filter((element) => element.position);
    if (!box || !box.clientWidth || !nodes.length) return [same(), same()];
    const [left, top] = ["x", "y"].map((axis) => Math.min(...nodes.map((node) => node.position[axis])));
    const [right, bottom] = ["x", "y"].map((axis) => Math.max(...nodes.map((node) => node.position[axis])));
    const [width, height] = [right - left + NODE.width + 32, bottom - top + NODE.height + 32];
    const zoom = Math.max(0.75, Math.min(1, box.clientWidth / width, box.clientHeight / height));
    const focus = (nodes.find((node) => node.data.id === chosen) || nodes[nodes.length - 1]).position;
    const along = function (room, whole, least, most, wanted) {
      if (whole * zoom <= room) return room / 2 - (zoom * (least + most)) / 2;
      const margin = (whole - (most - least)) / 2;
      return Math.min(zoom * (margin - least), Math.max(room - zoom * (most + margin), room / 2 - zoom * wanted));
    };
    return [zoom, { x: along(box.clientWidth, width, left, right, focus.x), y: along(box.clientHeight, height, top, bottom, focus.y) }];
  }

  const chosenRow = () => document.querySelector('.version-row[aria-current="true"]');
  const chosen = function () {
    const row = chosenRow();
    return row ? new URL(row.href).searchParams.get("version") || "" : "";
  };

  // Only the list is scrolled: the page stays where it is.
  let scrolled = "";
  function showChosen() {
    const list = document.getElementById("version-list");
    const row = chosenRow();
    if (!list || !row || scrolled === chosen()) return;
    scrolled = chosen();
    const above = row.getBoundingClientRect().top - list.getBoundingClientRect().top;
    if (above < 0 || above + row.offsetHeight > list.clientHeight) list.scrollTop += above - list.clientHeight / 2;
  }

  let drawn = [];
  let shape = "";
  function redraw() {
    const box = document.querySelector(".version-tree");
    if (!box || !drawn.length) return;
    const [zoom, pan] = place(drawn, chosen());
    set("version-tree", zoom === same() ? { stylesheet: look(chosen()) } : { stylesheet: look(chosen()), zoom, pan });
  }
  window.addEventListener("resize", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-mantine-color-scheme"] });

  const within = (extent, at) => extent.x1 < at.x && at.x < extent.x2 && extent.y1 < at.y && at.y < extent.y2;

  callbacks({
    // `extent` is the part of the drawing that is seen now.
    drawTree: function (elements, rows, extent) {
      if (!elements || !rows) return same();
      const now = JSON.stringify(elements.map((element) => element.position));
      const moved = now !== shape || !document.querySelector(".version-tree canvas");
      drawn = elements;
      shape = now;
      // The row of the chosen one is drawn after this.
      setTimeout(function () {
        showChosen();
        const node = elements.find((element) => element.data.id === chosen());
        // Moved by hand, it stays so as long as the chosen one is seen.
        if (moved || (node && !(extent && within(extent, node.position)))) redraw();
        else set("version-tree", { stylesheet: look(chosen()) });
      });
      return look(chosen());
    },

    tapVersion: function (node, search) {
      if (!node || node.data.id.startsWith("base:")) return same();
      return changed(search, { ...EMPTY, version: node.data.id });
    },

    compareWith: function (other, q, compared, search) {
      const changes = {};
      if ((q || "") !== read(search)("q")) Object.assign(changes, { q: q || null, page: null });
      // What the page compares with by itself needs not stand in the address.
      if (other && compared && other !== compared.with) Object.assign(changes, { with: other, change: null, page: null });
      return Object.keys(changes).length ? changed(search, changes) : same();
    },

    showCompared: function (compared) {
      if (!compared) return "";
      set("compare-with", { data: compared.options, value: compared.with });
      return compared.title;
    },

    showSearch: function (search) {
      set("compare-search", { value: read(search)("q") });
      return same();
    },
  });
})();
