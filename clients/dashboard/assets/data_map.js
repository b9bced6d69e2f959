// The data map: draws the cells, and makes a dragged rectangle the filter `box` of the address.
(function () {
  "use strict";
  const { set, same, pressed, count, read, changed, callbacks } = window.guessbook;

  const MOST_VARIABLE = 0.5;
  const HEIGHT = 250;
  const EDGE = { left: 40, right: 8, top: 8, bottom: 34 };
  const FIELDS = ["confidence-from", "confidence-to", "variability-from", "variability-to"];
  const svg = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, String(value));
    if (text !== undefined) element.textContent = text;
    return element;
  };

  let map = null; // {across, up, cells}
  let drag = null; // where it began, in pixels
  let watched = null; // the element that is drawn into

  function boxOf(search) {
    const parts = read(search)("box").split(",").map(Number);
    return parts.length === 4 && parts.every(Number.isFinite) ? parts : null;
  }

  // ---- places: variability from the left, confidence from below ----

  const host = () => document.getElementById("data-map");
  const inside = () => ({ width: Math.max(host().clientWidth - EDGE.left - EDGE.right, 40), height: HEIGHT - EDGE.top - EDGE.bottom });
  const x = (variability) => EDGE.left + (variability / MOST_VARIABLE) * inside().width;
  const y = (confidence) => EDGE.top + (1 - confidence) * inside().height;
  const clamp = (value, most) => Math.min(Math.max(value, 0), most);
  const variabilityAt = (px) => clamp(((px - EDGE.left) / inside().width) * MOST_VARIABLE, MOST_VARIABLE);
  const confidenceAt = (py) => clamp(1 - (py - EDGE.top) / inside().height, 1);
  const short = (value) => String(Number(value.toFixed(3)));

  function axes() {
    const group = svg("g", { class: "map-axes" });
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      group.append(svg("line", { x1: EDGE.left, x2: x(MOST_VARIABLE), y1: y(share), y2: y(share) }));
      group.append(svg("text", { x: EDGE.left - 6, y: y(share) + 4, "text-anchor": "end" }, short(share)));
    }
    for (const value of [0, 0.1, 0.2, 0.3, 0.4, 0.5]) {
      group.append(svg("text", { x: x(value), y: HEIGHT - EDGE.bottom + 15, "text-anchor": value === 0.5 ? "end" : "middle" }, short(value)));
    }
    const middle = EDGE.top + inside().height / 2;
    group.append(svg("text", { x: EDGE.left + inside().width / 2, y: HEIGHT - 3, "text-anchor": "middle" }, "variability"));
    group.append(svg("text", { x: 10, y: middle, "text-anchor": "middle", transform: "rotate(-90 10 " + middle + ")" }, "confidence"));
    return group;
  }

  function regions() {
    const group = svg("g", { class: "map-regions" });
    const half = MOST_VARIABLE / 2;
    group.append(svg("line", { x1: x(half), x2: x(half), y1: y(1), y2: y(0) }));
    group.append(svg("line", { x1: x(0), x2: x(half), y1: y(0.5), y2: y(0.5) }));
    group.append(svg("text", { x: x(0) + 6, y: y(0.5) - 6 }, "easy"));
    group.append(svg("text", { x: x(MOST_VARIABLE) - 6, y: y(1) + 14, "text-anchor": "end" }, "ambiguous"));
    group.append(svg("text", { x: x(0) + 6, y: y(0.5) + 14 }, "hard"));
    return group;
  }

  // A dot for each cell, the small ones on top: [cell, x, y, radius].
  function dots() {
    const width = inside().width / map.across;
    const height = inside().height / map.up;
    const most = Math.max(...map.cells.map((cell) => cell[2]), 1);
    const largest = Math.max(Math.min(width, 2 * height) / 2, 4);
    return map.cells
      .map((cell) => {
        // Its area says how many; one that would be too small to see keeps a size.
        const radius = Math.max(largest * Math.sqrt(cell[2] / most), 2.5);
        return [cell, EDGE.left + (cell[0] + 0.5) * width, EDGE.top + (map.up - 0.5 - cell[1]) * height, radius];
      })
      .sort((a, b) => b[3] - a[3]);
  }

  function drawn() {
    const group = svg("g", { class: "map-cells" });
    for (const [cell, cx, cy, r] of dots()) {
      const dot = svg("circle", { cx, cy, r });
      dot.style.fill = cell[3] === null ? "var(--faint)" : "color-mix(in oklab, var(--map-right) " + Math.round(100 * cell[3]) + "%, var(--map-wrong))";
      group.append(dot);
    }
    return group;
  }

  function draw() {
    const place = host();
    if (!place || !map) return;
    watch(place);
    const right = map.cells.reduce((sum, cell) => sum + cell[2], 0);
    const drawing = svg("svg", { width: place.clientWidth, height: HEIGHT, role: "img", "aria-label": "Data map of " + count(right) + " examples by confidence and variability" });
    drawing.append(axes(), regions(), drawn(), svg("rect", { class: "map-box" }));
    place.replaceChildren(drawing, tip());
    mark(boxOf(location.search));
  }

  function tip() {
    const made = document.createElement("div");
    made.className = "tooltip map-tip";
    made.hidden = true;
    return made;
  }

  function mark(box) {
    const rectangle = host() && host().querySelector(".map-box");
    if (!rectangle) return;
    rectangle.style.display = box ? "" : "none";
    if (!box) return;
    const [low, high, left, right] = box;
    const place = { x: x(left), y: y(high), width: Math.max(x(right) - x(left), 1), height: Math.max(y(low) - y(high), 1) };
    for (const [key, value] of Object.entries(place)) rectangle.setAttribute(key, String(value));
  }

  // ---- the mouse ----

  const at = (event) => {
    const corner = host().getBoundingClientRect();
    return [event.clientX - corner.left, event.clientY - corner.top];
  };

  function boxBetween([ax, ay], [bx, by]) {
    const confidences = [confidenceAt(ay), confidenceAt(by)].sort((a, b) => a - b);
    const variabilities = [variabilityAt(ax), variabilityAt(bx)].sort((a, b) => a - b);
    return [...confidences, ...variabilities];
  }

  function cellAt([px, py]) {
    const found = dots().filter(([, cx, cy, r]) => Math.hypot(px - cx, py - cy) <= r + 2);
    return found.length ? found[found.length - 1][0] : null;
  }

  function choose(box) {
    const next = changed(location.search, { box: box && box.map(short).join(","), row: null });
    if (next !== same()) set("url", { search: next });
  }

  function hover(place) {
    const made = host().querySelector(".map-tip");
    const cell = drag ? null : cellAt(place);
    made.hidden = !cell;
    if (!cell) return;
    const [across, up, many, right] = cell;
    const line = (name, value) => {
      const row = document.createElement("div");
      row.append(Object.assign(document.createElement("span"), { textContent: name }), Object.assign(document.createElement("b"), { textContent: value }));
      return row;
    };
    const title = Object.assign(document.createElement("strong"), { textContent: count(many) + (many === 1 ? " example" : " examples") });
    const range = (from, size, most) => short((from / size) * most) + " – " + short(((from + 1) / size) * most);
    made.replaceChildren(
      title,
      line("Confidence", range(up, map.up, 1)),
      line("Variability", range(across, map.across, MOST_VARIABLE)),
      line("Right", right === null ? "not judged" : Math.round(100 * right) + "% of snapshots")
    );
    made.style.left = Math.min(place[0] + 14, host().clientWidth - 170) + "px";
    made.style.top = Math.min(place[1] + 14, HEIGHT - 90) + "px";
  }

  function watch(place) {
    if (watched === place) return;
    watched = place;
    new ResizeObserver(draw).observe(place);
    place.addEventListener("pointerdown", function (event) {
      // A finger scrolls the page; it has the fields.
      if (event.button !== 0 || event.pointerType === "touch") return;
      drag = at(event);
      place.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    place.addEventListener("pointermove", function (event) {
      hover(at(event));
      if (drag) mark(boxBetween(drag, at(event)));
    });
    place.addEventListener("pointerleave", () => (place.querySelector(".map-tip").hidden = true));
    place.addEventListener("pointercancel", function () {
      drag = null;
      mark(boxOf(location.search));
    });
    place.addEventListener("pointerup", function (event) {
      if (!drag) return;
      const [from, to] = [drag, at(event)];
      drag = null;
      const moved = Math.hypot(to[0] - from[0], to[1] - from[1]) > 4;
      // A click on the ground takes the rectangle away, one on a dot takes its examples.
      const cell = cellAt(to);
      if (moved) choose(boxBetween(from, to));
      else if (!cell) choose(null);
      else choose([cell[1] / map.up, (cell[1] + 1) / map.up, (cell[0] / map.across) * MOST_VARIABLE, ((cell[0] + 1) / map.across) * MOST_VARIABLE]);
    });
  }

  callbacks({
    drawDataMap: function (cells) {
      if (!cells) return [same(), same()];
      if (cells === map && watched === host()) mark(boxOf(location.search));
      else {
        map = cells;
        draw();
      }
      const most = Math.max(...cells.cells.map((cell) => cell[2]), 0);
      return [same(), most ? "1 to " + count(most) + (most === 1 ? " example" : " examples") : ""];
    },

    showBox: function (search, ids) {
      const box = boxOf(search);
      const { tell } = window.guessbook.filters;
      FIELDS.forEach((name, i) => tell("box-" + name, { value: box ? box[i] : null }));
      for (const id of ids) tell(id, { "aria-pressed": String(Boolean(box) && id.box === box.join(",")) });
      tell("box-clear", { disabled: !box });
      return [same(), ids.map(same)];
    },

    // A field that is left empty is the end of its axis.
    boxOfFields: function (low, high, left, right, search) {
      const given = [low, high, left, right];
      const known = boxOf(search);
      const empty = given.every((value) => value === null || value === undefined || value === "");
      if (empty || (known && given.every((value, i) => value === known[i]))) return same();
      const ends = [0, 1, 0, MOST_VARIABLE];
      const box = given.map((value, i) => (value === null || value === undefined || value === "" ? ends[i] : Number(value)));
      if (box[0] > box[1] || box[2] > box[3]) return same();
      return changed(search, { box: box.join(","), row: null });
    },

    boxOfRegion: function (clicks, search) {
      if (!pressed() || !clicks.some(Boolean)) return same();
      const box = pressed().box;
      return changed(search, { box: read(search)("box") === box ? null : box, row: null });
    },

    clearBox: function (clicks, search) {
      return clicks ? changed(search, { box: null, row: null }) : same();
    },
  });
})();
