// Runs in the measured tab before any of its own scripts: notes when the document came to show something.
// Times are milliseconds since 1970, by the clock that the events are dated with too.
(function () {
  "use strict";
  const DEADLINE_MS = 30000;
  const shown = []; // [step, time] of each change of the step that the page shows
  let waiting = null;
  const now = () => performance.timeOrigin + performance.now();

  function noteStep(time) {
    const place = document.getElementById("now-step");
    const step = place ? Number(place.textContent.replace(/^step ([\d,]+).*$/, "$1").replaceAll(",", "")) : 0;
    if (step && (!shown.length || shown[shown.length - 1][0] !== step)) shown.push([step, time]);
  }

  // {row: example}: all of these rows are there, with their texts.
  function rowsShown(rows) {
    return Object.entries(rows).every(function ([row, example]) {
      const found = document.querySelector('.ag-row[row-index="' + row + '"]');
      const text = found && found.querySelector('[col-id="prompt"]');
      return text && (example === null || found.getAttribute("row-id") === String(example)) && text.textContent.trim() !== "";
    });
  }

  function look() {
    const time = now();
    noteStep(time);
    if (waiting && rowsShown(waiting.rows)) {
      waiting.resolve(time);
      waiting = null;
    }
  }

  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["row-id", "row-index"] });

  window.probe = {
    shown,
    // When these rows are shown; at once if they are already.
    rows: function (rows) {
      return new Promise(function (resolve, reject) {
        waiting = { rows, resolve };
        setTimeout(() => reject(new Error("these rows never came: " + JSON.stringify(rows))), DEADLINE_MS);
        look();
      });
    },
    // Milliseconds from an act of the page to these rows.
    until: async function (act, rows) {
      const begin = now();
      act();
      return (await window.probe.rows(rows)) - begin;
    },
    address: (search) => window.dash_clientside.set_props("url", { search }),
    type: function (text) {
      const field = document.getElementById("search");
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    },
    jump: (row) => window.dash_ag_grid.getApi("examples").ensureIndexVisible(row, "top"),
  };
})();
