// The list on the page Evolution: what filters and orders it, saved filters, its columns and its keyboard.
(function () {
  "use strict";
  const { set, same, pressed, count, visible, read, changed, callbacks, filters } = window.guessbook;
  const { ABOUT, MOMENT, only, none, known, byHand, chosen } = filters;
  const component = (type, props) => ({ type, namespace: "dash_html_components", props });

  // Columns that show what the list is in the order of, and nothing else.
  const MEASURES = ["change", "learned", "presentations", "regressed", "forgetting", "confidence", "variability"];

  const LONGEST_STRIP = 17; // marks, with the one for what is left out

  let listed = ""; // what the rows are to be of
  let repeated = ""; // what rows were of that were not wanted any more
  let requested = null; // the grid's last question
  let opened = null; // the example whose row is marked
  let matched = null; // how many the last answer said
  let focused = null; // the row on which the keyboard is

  // ---- columns ----

  // What the filter says of all rows, a row need not say; what a narrow list leaves out, the story has.
  function fitColumns(api) {
    const grid = document.getElementById("examples");
    if (!grid) return;
    const width = grid.clientWidth;
    const given = read(location.search);
    const order = given("sort").replace("-", "");
    const measured = MEASURES.includes(order);
    const shown = {
      index: width >= 820,
      state: given("state") === "" && width >= 480,
      expected: width >= 900,
      guess: width >= 420,
      category: categories() && given("category") === "" && width >= 1100,
      strip: width >= (measured ? 760 : 600),
      loss: width >= 520,
    };
    for (const measure of MEASURES) shown[measure] = measure === order && width >= 560;
    const marks = Math.min((window.guessbook.steps || []).length, LONGEST_STRIP);
    const state = Object.entries(shown).map(([colId, there]) => ({ colId, hide: !there }));
    state.find((each) => each.colId === "strip").width = Math.max(94, 24 + 10 * marks);
    // All in one: the columns that fill the rest are measured anew only then.
    if (!known("columns", state)) api.applyColumnState({ state });
  }

  let categories = () => false;

  // A link to an example leads to its row, once, as soon as the row is there.
  let linked = new URLSearchParams(location.search).get("row");
  function showLinkedRow(api) {
    if (linked === null || Number(linked) >= api.getDisplayedRowCount()) return;
    api.ensureIndexVisible(Number(linked), "middle");
    linked = null;
  }

  // ---- keyboard: arrows go through the list, Enter opens; j and k turn pages (example.js), j also opens the first one ----

  function open(row) {
    if (!row || !row.data) return;
    const next = changed(location.search, { example: row.data.index, row: row.rowIndex });
    if (next !== same()) set("url", { search: next });
  }

  function listen(api) {
    api.addEventListener("gridSizeChanged", () => fitColumns(api));
    api.addEventListener("modelUpdated", () => showLinkedRow(api));
    api.addEventListener("cellFocused", (event) => (focused = event.rowIndex));
    api.addEventListener("cellKeyDown", function (event) {
      if (event.event.key === "Enter") open(event.node);
    });
  }

  document.addEventListener("keydown", function (event) {
    if (event.key !== "j" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest && event.target.closest("input, textarea, [role=dialog], [role=menu], [role=listbox]");
    if (typing || !document.querySelector(".book:not(.open)")) return;
    window.dash_ag_grid.getApiAsync("examples").then((api) => open(api.getDisplayedRowAtIndex(focused || 0)));
  });

  // ---- filters as they are said ----

  const label = (word) => word.charAt(0).toUpperCase() + word.slice(1).replace(/_/g, " ");
  const short = (text) => visible(text.length > 40 ? text.slice(0, 40) + "…" : text);

  function since(given, steps) {
    const before = (steps || []).filter((step) => given("step") === "" || step <= Number(given("step"))).slice(0, -1);
    const vs = before.includes(Number(given("vs"))) && given("vs") !== "" ? Number(given("vs")) : before[before.length - 1];
    return vs === undefined ? "" : " since step " + count(vs);
  }

  const SAY = {
    state: (text) => label(text),
    q: (text) => "“" + short(text) + "”",
    category: (text) => "Category " + short(text),
    change: (text, given, steps) => label(text) + since(given, steps),
    box: (text) => {
      const [low, high, left, right] = text.split(",");
      return "Confidence " + low + " to " + high + ", variability " + left + " to " + right;
    },
    insight: (text) => {
      const [kind, step] = text.split("@");
      return "Insight: " + short(kind.replace(/_/g, " ")) + (step ? " at step " + short(step) : "");
    },
    held_out: () => "Held out",
  };

  function chip(part, text) {
    const close = component("Span", { className: "icon icon-close" });
    return component("Button", {
      id: { type: "clear", part },
      key: part,
      className: "filter-chip",
      title: "Take this filter away",
      children: [component("Span", { children: text, dir: "auto" }), close],
    });
  }

  // The grid's wrapper puts off an answer that follows one without rows, and drops it if it is drawn again before. The grid asks one thing at a
  // time, and would wait for that answer for ever: so that question is given up, and asked anew.
  function giveUp(api, request, sure) {
    setTimeout(function () {
      const waits = Object.values(api.getCacheBlockState() || {}).some((block) => block.pageStatus !== "loaded");
      if (!waits || requested !== request || api.isDestroyed()) return;
      if (!sure) return giveUp(api, request, true);
      request.failCallback();
      api.purgeInfiniteCache();
    }, 100);
  }

  const list = (run, at, search, sort) => [run, at, search, sort].join("\n");

  callbacks({
    gridReady: function () {
      listed = "";
      repeated = "";
      requested = null;
      opened = focused = matched = null;
      window.dash_ag_grid.getApiAsync("examples").then(function (api) {
        fitColumns(api);
        listen(api);
      });
      return same();
    },

    // From the address into the controls.
    showView: function (search) {
      const given = read(search);
      const order = given("sort");
      const down = order.startsWith("-");
      const controls = {
        search: { value: given("q") },
        "state-filter": { value: given("state") },
        "category-filter": { value: given("category") },
        "held-out": { checked: given("held_out") === "1" },
        sort: { value: order.replace("-", "") },
        "turn-sort": { children: down ? "↓" : "↑", "aria-label": down ? "Largest first; turn round" : "Smallest first; turn round" },
        tab: { value: given("tab") || "categories" },
      };
      for (const [control, props] of Object.entries(controls)) if (!known(control, props)) set(control, props);
      return given("example") === "" ? "book" : "book open";
    },

    filter: function (q, state, category, held, search) {
      const controls = {
        search: ["q", q],
        "state-filter": ["state", state],
        "category-filter": ["category", category],
        "held-out": ["held_out", held ? "1" : ""],
      };
      const wanted = chosen(controls, search);
      return wanted ? changed(search, { ...wanted, row: null }) : same();
    },

    order: function (order, turns, search) {
      const now = read(search)("sort");
      if (pressed() === "turn-sort" && turns) return changed(search, { sort: now.startsWith("-") ? now.slice(1) : "-" + now, row: null });
      if (pressed() !== "sort" || !order || order === now.replace("-", "")) return same();
      if (!byHand("sort")) {
        setTimeout(() => set("sort", { value: now.replace("-", "") }));
        return same();
      }
      const largestFirst = document.getElementById("filters").dataset.largestFirst.split(" ");
      return changed(search, { sort: (largestFirst.includes(order) ? "-" : "") + order, row: null });
    },

    showFilters: function (search, steps) {
      const given = read(search);
      const there = ABOUT.filter((part) => given(part) !== "");
      const chips = there.map((part) => chip(part, SAY[part](given(part), given, steps)));
      if (there.length > 1) chips.push(component("Button", { id: { type: "clear", part: "" }, key: "all", className: "link-button", children: "Clear all" }));
      return chips;
    },

    clearFilter: function (clicks, search) {
      if (!pressed() || !clicks.some(Boolean)) return same();
      return changed(search, { ...none(pressed().part ? [pressed().part] : ABOUT), row: null });
    },

    refreshRows: function (search, asked, style) {
      categories = () => !style || style.display !== "none";
      if (!asked) return same();
      const given = read(search);
      const wanted = list(asked.run, asked.at, asked.search, given("sort"));
      const other = wanted !== listed;
      const news = !other && pressed() === "filtered";
      const turned = given("example") !== opened;
      listed = wanted;
      opened = given("example");
      window.dash_ag_grid.getApiAsync("examples").then(function (api) {
        fitColumns(api);
        // Refreshed rows stay until the new ones are here; an empty list has none to refresh.
        if (other || (news && !api.getDisplayedRowCount())) api.purgeInfiniteCache();
        else if (news) api.refreshInfiniteCache();
        if (other) api.refreshHeader();
        if (!turned) return;
        const row = given("row");
        if (row !== "" && Number(row) < api.getDisplayedRowCount()) api.ensureIndexVisible(Number(row));
        api.redrawRows();
      });
      return same();
    },

    rowsRequested: function (request) {
      requested = request;
      return same();
    },

    checkRows: function (answered) {
      const afterNone = matched === 0;
      matched = answered.many;
      if (answered.run) document.querySelector(".card.examples").style.setProperty("--rows", String(matched));
      // The wrapper may take an answer for that to the next question.
      const of = list(answered.run, answered.at, only([...ABOUT, ...MOMENT], answered.search), read(answered.search)("sort"));
      const stale = of !== listed && of !== repeated;
      repeated = stale ? of : "";
      const request = requested;
      window.dash_ag_grid.getApiAsync("examples").then(function (api) {
        fitColumns(api);
        if (stale) api.purgeInfiniteCache();
        if (afterNone && request) giveUp(api, request, false);
      });
      return same();
    },

    openExample: function (cell, search) {
      if (!cell || cell.rowId === undefined) return same();
      return changed(search, { example: cell.rowId, row: cell.rowIndex });
    },

    // ---- saved filters ----

    saveFilter: function (clicks, enters, deletes, name, search, saved) {
      const kept = saved || [];
      if (pressed() && pressed().type === "saved-delete") {
        if (!deletes.some(Boolean)) return [same(), same(), same()];
        const gone = pressed().name;
        return [kept.filter((each) => each.name !== gone), same(), "Deleted “" + gone + "”."];
      }
      const given = (name || "").trim();
      const now = only([...ABOUT, "sort"], search);
      if (!clicks && !enters) return [same(), same(), same()];
      if (!given) return [same(), same(), "Give it a name first."];
      if (!now || now === "sort=index") return [same(), same(), "No filter is set."];
      return [[...kept.filter((each) => each.name !== given), { name: given, search: now }], "", "Saved “" + given + "”."];
    },

    listSaved: function (saved, search) {
      const now = only([...ABOUT, "sort"], search);
      if (!saved || !saved.length) return component("P", { className: "dim", children: "None yet. Set a filter, give it a name and save it." });
      return saved.map((each) =>
        component("Div", {
          key: each.name,
          className: "saved-row" + (each.search === now ? " here" : ""),
          children: [
            component("Button", { id: { type: "saved-apply", name: each.name }, className: "saved-apply", children: each.name }),
            component("Button", {
              id: { type: "saved-delete", name: each.name },
              className: "icon-button",
              title: "Delete",
              "aria-label": "Delete " + each.name,
              children: component("Span", { className: "icon icon-trash" }),
            }),
          ],
        })
      );
    },

    applySaved: function (clicks, saved, search) {
      if (!pressed() || !clicks.some(Boolean)) return same();
      const found = (saved || []).find((each) => each.name === pressed().name);
      if (!found) return same();
      return changed(search, { ...none([...ABOUT, "sort"]), row: null, ...Object.fromEntries(new URLSearchParams(found.search)) });
    },
  });
})();
