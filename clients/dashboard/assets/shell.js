// The frame around every page: which run it is about, the links between the pages.
(function () {
  "use strict";
  const { set, same, count, read, changed, arrivedAt, callbacks } = window.guessbook;

  // The run's numbers, or those of the last message about it, whichever are newer in the log.
  function newest(run, live) {
    const step = live && live.step;
    const newer = step && run.at === null && step.run === run.run && step.position > run.run_position;
    return newer ? { ...run, ...step, run: run.run } : run;
  }

  function loss(value) {
    return value === undefined ? "–" : value >= 0.1 ? value.toFixed(3) : value.toPrecision(2);
  }

  // Whether the browser let it be copied: outside https and loopback it lets no page write to the clipboard.
  function copy(text) {
    return navigator.clipboard ? navigator.clipboard.writeText(text).then(() => true, () => false) : Promise.resolve(false);
  }
  Object.assign(window.guessbook, { newest, loss, copy });

  callbacks({
    start: function () {
      window.guessbookLive.start();
      return same();
    },

    closeProblem: () => (document.getElementById("problem").textContent ? null : same()),

    keepPlace: function (search, place) {
      arrivedAt(search);
      const given = read(search);
      const now = new URLSearchParams({ run: given("run"), at: given("at") }).toString();
      return now === place ? same() : now;
    },

    showRun: function (run) {
      if (!run) return [same(), same()];
      window.guessbookLive.show(run.run, run.at);
      const classes = ["page", ...run.commands.map((name) => "may-" + name)];
      if (run.empty) classes.push("is-empty");
      if (!run.run) classes.push("no-run");
      if (run.at !== null) classes.push("is-past");
      return [classes.join(" "), run.name];
    },

    showNow: function (run, live) {
      if (!run) return Array(6).fill(same());
      const now = newest(run, live);
      if (!run.run || run.state !== "active" || run.at !== null) return ["now", "", 0, "", "", ""];
      const share = now.total ? (100 * now.step) / now.total : 0;
      return ["now shown", run.name, share, "step " + count(now.step) + " of " + count(now.total), now.eta ? "ETA " + now.eta : "", now.step ? "loss " + loss(now.loss) : ""];
    },

    copyShared: function (clicks, link) {
      if (!clicks) return same();
      document.getElementById("share-link").select();
      copy(link).then((copied) => set("share-copied", { children: copied ? "Copied" : "Press Ctrl+C to copy" }));
      return same();
    },

    showLinks: function (path, search, ids) {
      const given = read(search);
      const kept = new URLSearchParams();
      for (const name of ["run", "at"]) if (given(name)) kept.set(name, given(name));
      const query = kept.toString() ? "?" + kept.toString() : "";
      const here = path === "/example" ? "/evolution" : path;
      return [ids.map((id) => id.path + query), ids.map((id) => (id.path === here ? "page-link here" : "page-link"))];
    },
  });
})();
