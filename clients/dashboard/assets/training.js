// The page Training: the current job.
(function () {
  "use strict";
  const { same, count, callbacks, loss, newest } = window.guessbook;

  function learningRate(value) {
    if (value === undefined) return "–";
    return value === 0 ? "0" : value.toExponential(2).replace("e-", "e−").replace(/\.?0+e/, "e");
  }

  callbacks({
    showJob: function (run) {
      if (!run) return Array(8).fill(same());
      const state = run.pending ? run.state + ", " + run.pending + " asked for" : run.held ? "held" : run.state;
      return [
        run.name || "No job",
        state,
        "badge " + (run.held ? "held" : run.state),
        run.note,
        run.facts || "",
        run.accuracy || "–",
        run.trend || "–",
        run.trend ? "trend " + run.trend : "",
      ];
    },

    // Ticks with every message.
    showStep: function (run, live) {
      if (!run) return Array(9).fill(same());
      const now = newest(run, live);
      if (!now.run) return ["Waiting", "", "", 0, false, "–", "–", "–", "–"];
      const share = now.total ? (100 * now.step) / now.total : 0;
      return [
        "Step " + count(now.step),
        "of " + count(now.total) + " · " + Math.floor(share) + "%",
        now.eta ? "ETA " + now.eta : "",
        share,
        run.state === "active" && run.at === null,
        now.step ? loss(now.loss) : "–",
        now.step ? learningRate(now.learning_rate) : "–",
        now.step ? count(Math.round(now.tokens_per_second)) + " tok/s" : "–",
        now.epoch === undefined ? "–" : now.epoch.toFixed(2),
      ];
    },
  });
})();
