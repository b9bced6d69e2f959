// One example, in the panel and on its own page: turning pages, and the ways from and to it.
(function () {
  "use strict";
  const { set, same, pressed, read, changed, callbacks } = window.guessbook;

  // Pages are turned one at a time: a press waits until the page before it is here.
  const presses = [];
  let neighbours = null; // of the example that is shown
  let heading = null; // the example that was turned to and is not here yet
  let panel = null; // a page that is opened anew has another one
  let open = ""; // the example that this panel showed last
  let scroll = false;

  function turn() {
    if (heading !== null || !neighbours || !presses.length) return;
    const to = neighbours[presses.shift()];
    if (!to) return turn();
    const next = changed(location.search, { example: to[0], row: to[1] < 0 ? null : to[1] });
    if (next === same()) return turn();
    heading = String(to[0]);
    set("url", { search: next });
  }

  callbacks({
    showStory: function (search) {
      const example = read(search)("example");
      const here = document.getElementById("story-panel");
      if (here !== panel) open = "";
      panel = here;
      window.guessbookLive.setExample(example === "" ? null : Number(example));
      if (example !== heading) heading = null;
      if (neighbours && String(neighbours.of) !== example) neighbours = null;
      if (example === "") presses.length = 0;
      const { tell } = window.guessbook.filters;
      if (document.getElementById("book")) tell("book", { className: example === "" ? "book" : "book open" });
      scroll = example !== "" && open === "";
      open = example;
      return same();
    },

    turnPage: function (previous, next) {
      if (!pressed() || !(previous || next)) return same();
      presses.push(pressed());
      turn();
      return same();
    },

    closeStory: function (clicks, search) {
      return clicks ? changed(search, { example: null, row: null }) : same();
    },

    showNeighbours: function (known) {
      // Once a story was opened: the list and the story side by side fill the window.
      const book = document.getElementById("book");
      if (scroll && known && book) book.scrollIntoView({ block: "start" });
      if (known) scroll = false;
      neighbours = known;
      if (!known || String(known.of) === heading) heading = null;
      setTimeout(turn);
      return [!(known && known.previous), !(known && known.next)];
    },

    storyElsewhere: function (search, path) {
      return (path === "/example" ? "/evolution" : "/example") + (search || "");
    },

    // The link names the run, since without it a page is about the one that runs when it is opened.
    // With no example open, no filter has the server asked.
    askStory: function (search, asked) {
      const now = read(search)("example") ? search : "";
      return now === asked ? same() : now;
    },

    copyExample: function (clicks, search, run) {
      const say = "Copy a link to this example";
      if (!clicks || !pressed() || pressed() !== "copy-link") return say;
      const query = new URLSearchParams(search || "");
      if (run && run.run) query.set("run", run.run);
      const link = location.origin + "/example?" + query.toString();
      window.guessbook.copy(link).then(function (copied) {
        const told = copied ? outcome("done", "Link copied", link) : outcome("failed", "The browser does not let the link be copied", link);
        set("outcome", { children: told });
      });
      return say;
    },
  });

  const element = (type, props) => ({ type, namespace: "dash_html_components", props });
  // As outcome.py makes them.
  function outcome(how, what, more) {
    const parts = [element("Strong", { children: what }), element("Span", { children: more })];
    return element("Div", { key: String(Date.now()), className: "outcome " + how, children: parts });
  }

  document.addEventListener("keydown", function (event) {
    const typing = event.target.closest && event.target.closest("input, textarea, select, [role=dialog], [role=menu], [contenteditable]");
    const name = { j: "next", k: "previous", Escape: "close" }[event.key];
    if (!name || typing || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!document.querySelector(".book.open, .story.alone")) return;
    if (name === "close") {
      const button = document.getElementById("close");
      if (button) button.click();
      return;
    }
    event.preventDefault();
    presses.push(name);
    turn();
  });

  const chart = (window.dashMantineFunctions = window.dashMantineFunctions || {});
  const make = (...parts) => window.React.createElement(...parts);

  chart.probabilityTooltip = function (props) {
    if (!props.active || !props.payload || !props.payload.length) return null;
    const at = props.payload[0].payload;
    const row = (name, value) => value !== undefined && make("div", { key: name }, make("span", null, name), make("b", null, value + "%"));
    return make(
      "div",
      { className: "tooltip" },
      make("strong", null, "Step " + Number(at.step).toLocaleString("en-US")),
      row("Expected answer", at.expected),
      row("Its guess", at.guess)
    );
  };
})();
