// The page Evolution: what is listed, and which example is open.
(function () {
  "use strict";
  const { set, same, pressed, read, changed, callbacks } = window.guessbook;

  let listed = "";
  let opened = null;
  let scroll = false;
  // Pages are turned one at a time: a press waits until the page before it is here.
  const presses = [];
  let neighbours = null; // of the example that is shown
  let heading = null; // the example that was turned to and is not here yet

  function turn() {
    if (heading !== null || !neighbours || !presses.length) return;
    const to = neighbours[presses.shift()];
    if (!to) return turn();
    const next = changed(location.search, { example: to[0], row: to[1] < 0 ? null : to[1] });
    if (next === same()) return turn();
    heading = String(to[0]);
    set("url", { search: next });
  }

  // What a narrow list leaves out, the story has.
  function fitColumns(api) {
    const width = document.getElementById("examples").clientWidth;
    api.setColumnsVisible(["expected"], width >= 860);
    api.setColumnsVisible(["index"], width >= 700);
    api.setColumnsVisible(["strip"], width >= 560);
  }

  // A link to an example leads to its row, once, as soon as the row is there.
  let linked = new URLSearchParams(location.search).get("row");
  function showLinkedRow(api) {
    if (linked === null || Number(linked) >= api.getDisplayedRowCount()) return;
    api.ensureIndexVisible(Number(linked), "middle");
    linked = null;
  }

  callbacks({
    gridReady: function () {
      listed = "";
      opened = null;
      window.dash_ag_grid.getApiAsync("examples").then(function (api) {
        fitColumns(api);
        api.addEventListener("gridSizeChanged", () => fitColumns(api));
        api.addEventListener("modelUpdated", () => showLinkedRow(api));
      });
      return same();
    },

    showView: function (search) {
      const given = read(search);
      set("search", { value: given("q") });
      set("state-filter", { value: given("state") });
      set("sort", { value: given("sort") });
      const example = given("example");
      window.guessbookLive.setExample(example === "" ? null : Number(example));
      if (example !== heading) heading = null;
      if (neighbours && String(neighbours.of) !== example) neighbours = null;
      if (example === "") presses.length = 0;
      scroll = example !== "" && !document.querySelector(".book.open");
      return example === "" ? "book" : "book open";
    },

    pressStates: function (search, ids) {
      const state = read(search)("state");
      return ids.map((id) => String(id.word === state));
    },

    filterByState: function (clicks, search) {
      if (!pressed() || !clicks.some(Boolean)) return same();
      const word = pressed().word;
      return changed(search, { state: read(search)("state") === word ? null : word, row: null });
    },

    filter: function (q, state, sort, search) {
      const given = read(search);
      if ((q || "") === given("q") && (state || "") === given("state") && sort === given("sort")) return same();
      return changed(search, { q, state, sort, row: null });
    },

    refreshRows: function (search, touched) {
      if (!touched) return same();
      const given = read(search);
      const news = pressed() === "snapshots-touched";
      const list = [touched.run, touched.at, given("state"), given("q"), given("sort")].join("\n");
      const other = list !== listed;
      const turned = given("example") !== opened;
      listed = list;
      opened = given("example");
      window.dash_ag_grid.getApiAsync("examples").then(function (api) {
        // Refreshed rows stay until the new ones are here; an empty list has none to refresh.
        if (other || (news && !api.getDisplayedRowCount())) api.purgeInfiniteCache();
        else if (news) api.refreshInfiniteCache();
        if (!turned) return;
        const row = given("row");
        if (row !== "" && Number(row) < api.getDisplayedRowCount()) api.ensureIndexVisible(Number(row));
        api.redrawRows();
      });
      return same();
    },

    // ---- one example ----

    openExample: function (cell, search) {
      if (!cell || cell.rowId === undefined) return same();
      return changed(search, { example: cell.rowId, row: cell.rowIndex });
    },

    turnPage: function (previous, next, close, search) {
      const button = pressed();
      if (!button || !(previous || next || close)) return same();
      if (button === "close") return changed(search, { example: null, row: null });
      presses.push(button);
      turn();
      return same();
    },

    showNeighbours: function (known) {
      // Once a story was opened: the list and the story side by side fill the window.
      if (scroll && known) document.getElementById("book").scrollIntoView({ block: "start" });
      if (known) scroll = false;
      neighbours = known;
      if (!known || String(known.of) === heading) heading = null;
      setTimeout(turn);
      return [!(known && known.previous), !(known && known.next)];
    },
  });

  document.addEventListener("keydown", function (event) {
    const typing = event.target.closest && event.target.closest("input, textarea, select, [role=dialog], [contenteditable]");
    const id = { j: "next", k: "previous", Escape: "close" }[event.key];
    if (!id || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!document.querySelector(".book.open")) return;
    event.preventDefault();
    if (id === "close") return document.getElementById(id).click();
    presses.push(id);
    turn();
  });
})();
