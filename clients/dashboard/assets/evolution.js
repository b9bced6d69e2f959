// The page Evolution: what its parts are asked about, its cards, tabs and pickers. The list is in examples.js.
(function () {
  "use strict";
  const { set, same, pressed, count, read, changed, latest, callbacks } = window.guessbook;

  // What filters the examples, in the words of the address; what `view.py` reads. The order and the open example are no part of it.
  const ABOUT = ["state", "q", "category", "change", "box", "insight", "held_out"];
  const MOMENT = ["step", "vs"];

  // The part of a query that says `names`, always in the same order.
  function only(names, search) {
    const given = read(search);
    const query = new URLSearchParams();
    for (const name of names) if (given(name) !== "") query.set(name, given(name));
    return query.toString();
  }

  const none = (names) => Object.fromEntries(names.map((name) => [name, null]));

  const alike = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  // Whether a part of the page was told just this before: then it need not be told again. A page that is opened anew was told nothing.
  // Only for what is told with `set`: what a callback returns is dropped if it is called again before that is drawn.
  let page = null;
  let before = {};
  function known(part, now) {
    const here = document.getElementById("book");
    if (here !== page) before = {};
    page = here;
    const text = JSON.stringify(now);
    if (before[part] === text) return true;
    before[part] = text;
    return false;
  }

  // A control says also what it was given from the address, a moment later, when the address may be another. So what one says counts once, after
  // it was used: the search if it is what was typed last, the others after a click, which a choice by keyboard is, too.
  let typed = null;
  let clicked = false;
  document.addEventListener("input", (event) => event.target.id === "search" && (typed = event.target.value), true);
  document.addEventListener("click", (event) => (clicked = clicked || Boolean(event.target.closest("[role=option], input[type=checkbox]"))), true);
  function byHand(control, value) {
    const was = control === "search" ? value === typed : clicked;
    if (control !== "search") clicked = false;
    else if (was) typed = null;
    return was;
  }

  // Of some controls' values, {control: [part of the address, value]}, those that were just chosen, by part. Another that differs from the
  // address is set right.
  function chosen(controls, search) {
    const given = read(latest(search));
    const wanted = {};
    for (const { prop_id } of window.dash_clientside.callback_context.triggered) {
      const control = prop_id.split(".")[0];
      const [part, value] = controls[control] || [];
      if (value === undefined || value === null || value === given(part)) continue;
      const props = (said) => (part === "held_out" ? { checked: said === "1" } : { value: said });
      const more = () => control === "search" && typed !== null; // is being typed
      if (byHand(control, value)) {
        wanted[part] = value;
        known(control, props(value)); // it shows that already, and by the time the address is read, more may have been typed
      } else if (!more()) setTimeout(() => more() || set(control, props(given(part))));
    }
    return Object.keys(wanted).length ? wanted : null;
  }

  // Only what is new: each part that is told something is drawn anew.
  function tell(id, props) {
    if (!known(JSON.stringify([id, Object.keys(props)]), props)) set(id, props);
  }
  window.guessbook.filters = { ABOUT, MOMENT, only, none, known, tell, byHand, chosen };

  // A tab says which one it is when the page is laid out, too, and that is not what the address says.
  let pickedTab = false;
  for (const kind of ["click", "keydown"])
    document.addEventListener(kind, (event) => (pickedTab = Boolean(event.target.closest("#tab [role=tab]"))), true);

  function toggled(part, word, search) {
    return changed(search, { [part]: read(latest(search))(part) === word ? null : word, row: null });
  }

  const step = (number) => "Step " + count(number);

  callbacks({
    // ---- cards, changes, categories ----

    pressStates: function (search, ids) {
      for (const id of ids) tell(id, { "aria-pressed": String(id.word === read(search)("state")) });
      return ids.map(same);
    },

    filterByState: function (clicks, search) {
      return pressed() && clicks.some(Boolean) ? toggled("state", pressed().word, search) : same();
    },

    pressChanges: function (search, ids) {
      for (const id of ids) tell(id, { "aria-pressed": String(id.word === read(search)("change")) });
      return ids.map(same);
    },

    filterByChange: function (clicks, search) {
      return pressed() && clicks.some(Boolean) ? toggled("change", pressed().word, search) : same();
    },

    filterByCategory: function (clicks, names, search) {
      return pressed() && clicks.some(Boolean) ? toggled("category", names[0][pressed().place], search) : same();
    },

    askBehindTab: function (asked, tab, told) {
      const here = window.dash_clientside.callback_context.outputs_list.id.replace("-asked", "");
      return tab !== here || alike(asked, told) ? same() : asked;
    },

    pickTab: function (tab, search) {
      if (!pickedTab) return same();
      pickedTab = false;
      return changed(search, { tab: tab === "categories" ? null : tab });
    },

    // ---- run and snapshots ----

    pickRun: function (run, shown, search) {
      if (!run || !shown || run === shown.run || !byHand("run-pick")) return same();
      return changed(search, { ...none([...ABOUT, ...MOMENT]), run, example: null, row: null, category: null });
    },

    pickSnapshot: function (picked, vs, search) {
      const given = read(search);
      const wanted = chosen({ "step-pick": ["step", picked], "vs-pick": ["vs", vs] }, search);
      if (!wanted) return same();
      const next = { step: given("step"), vs: given("vs"), ...wanted };
      if (next.step !== "" && Number(next.vs) >= Number(next.step)) next.vs = null;
      return changed(search, { ...next, row: null });
    },

    showSnapshots: function (steps, search) {
      if (!steps) return [same(), same()];
      const given = read(search);
      const newest = steps[steps.length - 1];
      const shown = given("step") === "" ? newest : Number(given("step"));
      const before = steps.filter((each) => each < shown);
      const last = before[before.length - 1];
      const choice = (number) => ({ value: String(number), label: step(number) });
      // What is shown where the address names none, and how it is called if the address names it all the same.
      const unnamed = (part, number, label) => ({ value: given(part) === String(number) ? given(part) : "", label });
      setTimeout(function () {
        const values = { "step-pick": given("step"), "vs-pick": before.includes(Number(given("vs"))) ? given("vs") : "" };
        for (const [pick, value] of Object.entries(values)) if (!known(pick, [value, steps])) set(pick, { value });
      });
      const choices = [
        [unnamed("step", newest, steps.length ? step(newest) + " (newest)" : "No snapshot yet"), ...steps.slice(0, -1).reverse().map(choice)],
        [unnamed("vs", last, before.length ? step(last) + " (before)" : "Nothing before it"), ...before.slice(0, -1).reverse().map(choice)],
      ];
      ["step-pick", "vs-pick"].forEach((pick, place) => tell(pick, { data: choices[place] }));
      return [same(), same()];
    },

    // A click on the newest snapshot goes back to it, and to those that come after it.
    pickOnChart: function (point, search) {
      if (!point || point.step === undefined) return same();
      const steps = window.guessbook.steps || [];
      const newest = steps[steps.length - 1] === point.step;
      return changed(search, { step: newest ? null : point.step, vs: null, row: null });
    },

    markOnChart: function (search, data, lines) {
      window.guessbook.steps = (data || []).map((each) => each.step);
      const shown = read(search)("step");
      const mark = shown === "" ? [] : [{ x: Number(shown), color: "var(--text)", label: "", strokeDasharray: "3 3" }];
      return alike(mark, lines || []) ? same() : mark;
    },
  });
})();
