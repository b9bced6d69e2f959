// Number formats and tooltips of the charts.
(function () {
  "use strict";
  const chart = (window.dashMantineFunctions = window.dashMantineFunctions || {});
  const make = (...parts) => window.React.createElement(...parts);
  const STATES = [
    ["learned", "Learned"],
    ["improving", "Improving"],
    ["struggling", "Struggling"],
    ["not_learned", "Not learned"],
    ["regressed", "Regressed"],
    ["unknown", "Unknown"],
  ];

  const round = (value) => (value >= 0.1 ? value.toFixed(2) : Number(value.toPrecision(2)).toString());

  chart.learningRate = (value) => (value === 0 ? "0" : value.toExponential(1).replace(".0e", "e").replace("e-", "e−"));
  chart.lossTick = (value) => Number(value.toPrecision(2)).toString();

  function tooltip(step, rows) {
    return make(
      "div",
      { className: "tooltip" },
      make("strong", null, "Step " + Number(step).toLocaleString("en-US")),
      rows.map(([name, value, mark]) =>
        make("div", { key: name }, make("span", null, mark && make("i", { className: "state-mark " + mark }), name), make("b", null, value))
      )
    );
  }

  chart.lossTooltip = function (props) {
    if (!props.active || !props.payload || !props.payload.length) return null;
    const at = props.payload[0].payload;
    const rows = [];
    if (at.loss !== undefined) rows.push(["Loss", round(at.loss)]);
    if (at.visit !== undefined) rows.push(["In training", round(at.visit)]);
    if (at.band && at.band[0] !== at.band[1]) rows.push(["Examples", round(at.band[0]) + " – " + round(at.band[1])]);
    if (at.rate !== undefined) rows.push(["Learning rate", chart.learningRate(at.rate)]);
    return tooltip(at.step, rows);
  };

  chart.statesTooltip = function (props) {
    if (!props.active || !props.payload || !props.payload.length) return null;
    const at = props.payload[0].payload;
    const all = STATES.reduce((sum, [word]) => sum + at[word], 0) || 1;
    const present = STATES.filter(([word]) => at[word]);
    return tooltip(at.step, present.map(([word, label]) => [label, at[word] + " · " + Math.round((100 * at[word]) / all) + "%", word]));
  };
})();
