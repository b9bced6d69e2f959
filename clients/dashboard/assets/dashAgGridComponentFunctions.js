// Cells of the list of examples. Text goes in as text nodes: a model's words are never markup.
(function () {
  "use strict";
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const make = (...parts) => window.React.createElement(...parts);
  const loading = () => make("span", { className: "skeleton" });

  cells.StateCell = function (props) {
    if (!props.value) return loading();
    return make("span", { className: "state-cell", title: props.value.label }, make("i", { className: "state-mark " + props.value.word }), props.value.label);
  };

  cells.TextCell = function (props) {
    if (props.value === undefined || props.value === null) return loading();
    return make("span", { className: "text-cell", title: props.value }, make("bdi", null, props.value));
  };

  cells.GuessCell = function (props) {
    if (props.value === undefined) return loading();
    if (props.value === null) return make("span", { className: "dim" }, "not yet");
    const mark = props.value.correct ? "right" : "wrong";
    return make(
      "span",
      { className: "text-cell " + mark, title: props.value.text },
      make("span", { className: "icon icon-" + mark, role: "img", "aria-label": mark }),
      props.value.text ? make("bdi", null, props.value.text) : make("span", { className: "dim" }, "(nothing)")
    );
  };

  cells.StripCell = function (props) {
    if (!props.value) return loading();
    const { marks, left_out } = props.value;
    const strip = marks.map((at) => make("i", { key: at.step, className: "state-mark " + at.word, title: "step " + at.step + ": " + at.label }));
    if (left_out) strip.splice(1, 0, make("span", { key: "left out", className: "left-out", title: left_out + " snapshots are left out here" }, "…"));
    const said = marks.map((at) => "step " + at.step + " " + at.label).join(", ");
    return make("span", { className: "strip", role: "img", "aria-label": said }, strip);
  };

  cells.LossCell = function (props) {
    if (!props.value) return loading();
    const line = props.value.line.filter((loss) => loss !== null);
    const top = Math.max(...line, 0.001);
    const points = line.map((loss, i) => ((i * 42) / Math.max(line.length - 1, 1) + 1).toFixed(1) + "," + (19 - (loss / top) * 17).toFixed(1));
    const chart =
      line.length > 1
        ? make("svg", { width: 44, height: 20, "aria-hidden": true }, make("polyline", { points: points.join(" "), className: "spark" }))
        : make("span", { className: "no-spark" });
    return make("span", { className: "loss-cell" }, chart, make("span", null, props.value.latest));
  };

  // The head of a column that the list can be in the order of. The order is in the address, which the grid doesn't know.
  cells.SortHeader = function (props) {
    const { set, same, read, changed } = window.guessbook;
    const column = props.column.getColId();
    const order = read(location.search)("sort");
    const down = order === "-" + column;
    const here = down || order === column;
    const turn = () => {
      const next = changed(location.search, { sort: here && !down ? "-" + column : column, row: null });
      if (next !== same()) set("url", { search: next });
    };
    return make(
      "button",
      { className: "sort-head", onClick: turn, title: here ? (down ? "Largest first" : "Smallest first") + "; turn round" : "Order by " + props.displayName },
      props.displayName,
      here && make("span", { "aria-hidden": true }, down ? " ↓" : " ↑")
    );
  };
})();
