// The list on the page Evolution: what filters and orders it, saved filters, its columns and its keyboard.
(function () {
  "use strict";
  const { set, same, pressed, count, visible, read, changed, callbacks, filters } = window.guessbook;
  const { ABOUT, MOMENT, only, none, known, tell, byHand, chosen } = filters;
  const component = (type, props) => ({ type, namespace: "dash_html_components", props });

  // Columns that show what the list is in the order of, and nothing else.
  const MEASURES = ["change", "learned", "presentations", "regressed", "forgetting", "confidence", "variability"];

  const LONGEST_STRIP = 17; // marks, with the one for what is left out
  const PATIENCE_MS = 200; // that the rest of the page has with the list

  let page = null; // a page that is opened anew lists nothing yet
  let listed = ""; // what the rows are of, as /rows is asked
  let told = null; // what the rest of the page is told to be about
  let failed = false; // some rows did not come
  let opened = ""; // the example whose row is marked
  let focused = null; // the row on which the keyboard is
  let now = ""; // the URL's query
  let categories = false; // whether the examples have some

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
      state: given("state") === "",
      expected: width >= 900,
      guess: width >= 420,
      category: categories && given("category") === "" && width >= 1100,
      strip: width >= (measured ? 760 : 600),
      loss: width >= 520,
    };
    for (const measure of MEASURES) shown[measure] = measure === order && width >= 560;
    const marks = Math.min((window.guessbook.steps || []).length, LONGEST_STRIP);
    const state = Object.entries(shown).map(([colId, there]) => ({ colId, hide: !there }));
    const widths = { strip: Math.max(94, 24 + 10 * marks), state: width < 480 ? 62 : 124 };
    for (const each of state) if (each.colId in widths) each.width = widths[each.colId];
    card().classList.toggle("narrow", width < 480); // a state is its mark there
    // All in one: the columns that fill the rest are measured anew only then.
    if (!known("columns", state)) api.applyColumnState({ state });
  }

  // A link to an example leads to its row, once, as soon as the row is there.
  let linked = new URLSearchParams(location.search).get("row");
  function showLinkedRow(api) {
    if (linked === null || Number(linked) >= api.getDisplayedRowCount()) return;
    api.ensureIndexVisible(Number(linked), "middle");
    linked = null;
  }

  // ---- rows ----

  const card = () => document.querySelector(".card.examples");

  async function block(of, first, end) {
    const answer = await fetch("/rows?" + new URLSearchParams({ from: first, to: end }) + "&" + of).catch(function () {
      throw new Error("The dashboard does not answer. The list is asked for again as soon as it does.");
    });
    const found = answer.ok ? await answer.json() : { problem: await answer.text() };
    if (found.problem) throw new Error(found.problem);
    return found;
  }

  function say(many, words) {
    card().style.setProperty("--rows", String(many));
    if (!known("matching", words)) set("matching", { children: words });
  }

  // What the grid asks. `first`: its first block, which is here already; `drawn` is called when the grid has it.
  function source(of, first, drawn) {
    return {
      getRows: async function ({ startRow, endRow, successCallback, failCallback }) {
        try {
          const { rows, matching, told } = first || (await block(of, startRow, endRow));
          first = null;
          if (of === listed && card()) say(matching, told);
          successCallback(rows, matching);
          drawn();
        } catch (error) {
          failCallback();
          if (of !== listed || !card()) return;
          failed = true;
          set("matching", { children: error.message });
        }
      },
    };
  }

  // The rows that are shown stay until the new ones are here.
  async function list(api, of) {
    listed = of;
    card().ariaBusy = "true";
    const found = await block(of, 0, api.getGridOption("cacheBlockSize")).catch((error) => ({ rows: [], matching: 0, told: error.message, error }));
    if (of !== listed || api.isDestroyed() || !card()) return;
    failed = "error" in found;
    card().ariaBusy = "false";
    fitColumns(api);
    api.refreshHeader();
    await new Promise((drawn) => api.setGridOption("datasource", source(of, found, drawn)));
  }

  function mark(api, examples, row) {
    if (row !== "" && Number(row) < api.getDisplayedRowCount()) api.ensureIndexVisible(Number(row));
    api.redrawRows({ rowNodes: examples.map((example) => api.getRowNode(example)).filter(Boolean) });
  }

  // What the page is about, as the list and then all others are told: {run, at, position, search}. null: that is not known yet.
  function subject(search, touched) {
    const given = read(search);
    if (!touched || !touched.run) return null;
    // Another run or another point is asked for already, and is on its way.
    if (given("run") && given("run") !== touched.run) return null;
    if (given("at") && Number(given("at")) !== touched.at) return null;
    return { ...touched, search: only([...ABOUT, ...MOMENT], search) };
  }

  async function renew(api, search, touched) {
    const about = subject(search, touched);
    const given = read(search);
    const before = opened;
    opened = given("example");
    if (about) {
      const of = new URLSearchParams(about.search);
      for (const [name, value] of Object.entries({ sort: given("sort"), run: about.run, at: about.at })) if (value !== null) of.set(name, value);
      const news = JSON.stringify(about) !== JSON.stringify(told);
      told = about;
      // Refreshed rows stay until the new ones are here; an empty list has none to refresh.
      if (of.toString() !== listed || failed || (news && !api.getDisplayedRowCount())) await list(api, of.toString());
      else if (news) api.refreshInfiniteCache();
      if (told === about && !known("filtered", about)) set("filtered", { data: about });
    }
    if (api.isDestroyed()) return;
    fitColumns(api);
    if (opened !== before) mark(api, [before, opened], given("row"));
  }

  // ---- keyboard: arrows go through the list, Enter opens; j and k turn pages (example.js), j also opens the first one ----

  function open(row) {
    if (!row || !row.data) return;
    const next = changed(location.search, { example: row.data.index, row: row.rowIndex });
    if (next !== same()) set("url", { search: next });
  }

  function listen(api) {
    api.addEventListener("gridSizeChanged", () => fitColumns(api));
    api.addEventListener("modelUpdated", function () {
      fitColumns(api);
      showLinkedRow(api);
    });
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

  callbacks({
    gridReady: function () {
      focused = null;
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
      return same();
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
      tell("filters", { children: chips });
      return same();
    },

    clearFilter: function (clicks, search) {
      if (!pressed() || !clicks.some(Boolean)) return same();
      return changed(search, { ...none(pressed().part ? [pressed().part] : ABOUT), row: null });
    },

    // The list goes first: a browser that has to draw everything at once shows all of it late.
    listExamples: function (search, touched, style) {
      const here = document.getElementById("book");
      const patience = here === page ? PATIENCE_MS : 0; // what is laid out anew would move the list
      if (here !== page) {
        listed = opened = "";
        told = null;
      }
      page = here;
      categories = Boolean(style) && style.display !== "none";
      now = search;
      const rows = window.dash_ag_grid.getApiAsync("examples").then((api) => renew(api, search, touched));
      Promise.race([rows, new Promise((done) => setTimeout(done, patience))]).then(function () {
        if (search === now && !known("view", search)) set("view", { data: search });
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
      const none = component("P", { className: "dim", children: "None yet. Set a filter, give it a name and save it." });
      const rows = (saved || []).map((each) =>
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
      tell("saved-list", { children: rows.length ? rows : none });
      return same();
    },

    applySaved: function (clicks, saved, search) {
      if (!pressed() || !clicks.some(Boolean)) return same();
      const found = (saved || []).find((each) => each.name === pressed().name);
      if (!found) return same();
      return changed(search, { ...none([...ABOUT, "sort"]), row: null, ...Object.fromEntries(new URLSearchParams(found.search)) });
    },
  });
})();
