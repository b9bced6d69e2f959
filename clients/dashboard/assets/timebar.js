// The bar over the log's time: the slider, what it says, and where it leads. The axis is computed in time_axis.py.
(function () {
  "use strict";
  const { set, same, count, moment, exact, ago, read, changed, callbacks } = window.guessbook;
  const FINE = 10000; // places the slider can stand at
  const CLOSE_PX = 6; // a mark is meant where the pointer is this near to it
  const INSET_PX = 8; // half a handle: the axis begins and ends this far inside the slider's box

  let axis = null; // {knots: [[position, place, time_us]], marks, of}
  let at = null; // the position that is shown; null: live
  let head = 0;
  let range = null;
  let hint = null;

  // Between two knots, place, position and time go on evenly. `by` is the column that is known, `wanted` the one asked for.
  function between(value, by, wanted) {
    const knots = axis.knots;
    let i = 1;
    while (i < knots.length - 1 && knots[i][by] < value) i++;
    const [from, to] = [knots[Math.max(0, i - 1)], knots[Math.min(i, knots.length - 1)]];
    const share = to[by] === from[by] ? 1 : (value - from[by]) / (to[by] - from[by]);
    return from[wanted] + Math.min(1, Math.max(0, share)) * (to[wanted] - from[wanted]);
  }
  const POSITION = 0;
  const PLACE = 1;
  const TIME = 2;

  // Events go on behind the last one that the axis was drawn for.
  function extended(drawn) {
    if (!drawn || drawn.knots.length < 2) return null;
    const before = drawn.knots.slice(0, -1);
    const [, , time] = drawn.knots[before.length];
    return { ...drawn, knots: [...before, [head, 1, at === null ? Math.max(time, Date.now() * 1000) : time]] };
  }

  const width = () => range.clientWidth - 2 * INSET_PX;

  function nearest(place) {
    const px = (mark) => Math.abs(between(mark.position, POSITION, PLACE) - place) * width();
    const near = axis.marks.filter((mark) => px(mark) <= CLOSE_PX);
    return near.sort((a, b) => px(a) - px(b))[0];
  }

  // What a place on the axis means: a mark near it, or the event that lies there; at the end, live.
  function meant(place) {
    if ((1 - place) * width() <= CLOSE_PX / 2) return { position: null, text: "Live" };
    const mark = nearest(place);
    if (mark) return { position: mark.position, text: mark.text + ", " + moment(mark.time_us) };
    const position = Math.max(1, Math.round(between(place, PLACE, POSITION)));
    return { position, text: "Position " + count(position) + ", about " + moment(between(place, PLACE, TIME)) };
  }

  function go(position) {
    // At once: the next key goes on from there, and does not wait for the server.
    at = position === null || position > head ? null : Math.max(1, position);
    draw(at === null ? "Live" : "Position " + count(at));
    set("past-wanted", { data: { at, asked: Date.now() } });
  }

  // Past so many marks; the log's beginning and its end are marks too.
  function step(many) {
    const here = at === null ? head + 1 : at;
    const stops = [1, ...axis.marks.map((mark) => mark.position), head + 1];
    const way = many > 0 ? stops.filter((stop) => stop > here) : stops.filter((stop) => stop < here).reverse();
    if (way.length) go(way[Math.min(Math.abs(many), way.length) - 1]);
  }

  // From mark to mark; with Shift, from event to event.
  function arrow(way, event) {
    if (!event.shiftKey) step(way);
    else go((at === null ? head + 1 : at) + way);
  }

  const KEYS = {
    ArrowLeft: (event) => arrow(-1, event),
    ArrowDown: (event) => arrow(-1, event),
    ArrowRight: (event) => arrow(1, event),
    ArrowUp: (event) => arrow(1, event),
    PageDown: () => step(-5),
    PageUp: () => step(5),
    Home: () => go(1),
    End: () => go(null),
  };

  function tell(place) {
    if (!axis) return;
    hint.textContent = meant(place).text;
    hint.style.left = 100 * place + "%";
    // It stays inside the window at both ends.
    hint.style.transform = "translateX(-" + 100 * place + "%)";
    hint.hidden = false;
  }

  function quiet() {
    hint.hidden = true;
  }

  function make(slot) {
    range = document.createElement("input");
    Object.assign(range, { type: "range", min: 0, max: FINE, value: FINE, disabled: true });
    range.setAttribute("aria-label", "Point in the log's time");
    hint = document.createElement("span");
    hint.className = "past-hint";
    hint.hidden = true;
    slot.append(range, hint);
    range.addEventListener("input", () => tell(range.value / FINE));
    range.addEventListener("change", function () {
      quiet();
      go(meant(range.value / FINE).position);
    });
    range.addEventListener("pointermove", function (event) {
      const start = range.getBoundingClientRect().left + INSET_PX;
      tell(Math.min(1, Math.max(0, (event.clientX - start) / width())));
    });
    range.addEventListener("pointerleave", quiet);
    range.addEventListener("keydown", function (event) {
      if (!axis || !KEYS[event.key]) return;
      event.preventDefault();
      KEYS[event.key](event);
    });
  }

  function draw(spoken) {
    const slot = document.getElementById("past-range");
    if (!slot) return;
    if (!range || !slot.contains(range)) make(slot);
    range.disabled = !axis;
    const place = at === null || !axis ? 1 : between(at, POSITION, PLACE);
    // Not while somebody drags it.
    if (!range.matches(":active")) range.value = Math.round(FINE * place);
    slot.style.setProperty("--place", 100 * place + "%");
    range.setAttribute("aria-valuetext", spoken);
  }

  callbacks({
    // Waits for nothing: whoever opens a link to the past is never told that it is live.
    showPoint: function (search) {
      const given = Number(read(search)("at"));
      at = given > 0 ? given : null;
      const past = at !== null;
      set("past-ago", { children: past ? "position " + count(at) : "" });
      draw(past ? "Position " + count(at) : "Live");
      return [past ? "past-bar shown" : "past-bar", past ? "As of" : "Viewing live", !past];
    },

    // All that the server has to be asked for.
    showTime: function (drawn, point, live) {
      head = Math.max(head, live ? live.position : 0, drawn ? drawn.knots[drawn.knots.length - 1][POSITION] : 0);
      axis = extended(drawn);
      if (at === null) {
        draw("Live");
        return ["", axis && axis.of > axis.marks.length ? axis.marks.length + " of " + count(axis.of) + " marks" : "", ""];
      }
      const known = point && point.at === at;
      const when = known ? ago(point.time_us / 1000) : "position " + count(at);
      const parts = known ? [moment(point.time_us), "position " + count(at)] : [];
      set("past-more", { title: known ? exact(point.time_us) : "" });
      const mark = axis && axis.marks.find((one) => one.position === at);
      draw(["As of " + when, ...parts, mark ? mark.text : ""].filter(Boolean).join(", "));
      const newer = head - at;
      return [when, parts.join(" · "), newer > 0 ? count(newer) + (newer === 1 ? " newer event" : " newer events") : ""];
    },

    showPastStep: function (run) {
      return run && at !== null && run.at === at && run.run ? " · step " + count(run.step) : "";
    },

    toPoint: function (wanted, search) {
      return wanted ? changed(search, { at: wanted.at, row: null }) : same();
    },

    toLive: function (clicks, search) {
      return clicks ? changed(search, { at: null, row: null }) : same();
    },
  });
})();
