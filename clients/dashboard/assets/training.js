// The page Training: the current job, and files on their way up.
(function () {
  "use strict";
  const { set, same, count, callbacks, loss, newest } = window.guessbook;

  function learningRate(value) {
    if (value === undefined) return "–";
    return value === 0 ? "0" : value.toExponential(2).replace("e-", "e−").replace(/\.?0+e/, "e");
  }

  // ---- a file on its way up ----

  const zone = (event) => event.target.closest && event.target.closest("#drop-zone");
  const hasFile = (event) => event.dataTransfer && Array.from(event.dataTransfer.types).includes("Files");

  function told(text) {
    if (document.getElementById("upload-progress")) set("upload-progress", { children: text });
  }

  function failed(text) {
    told("");
    if (document.getElementById("submit-problem")) set("submit-problem", { children: text });
  }

  function upload(file) {
    const request = new XMLHttpRequest();
    request.open("POST", "/upload");
    request.responseType = "json";
    request.upload.onprogress = (event) => told(file.name + ": " + Math.floor((100 * event.loaded) / (event.total || 1)) + "%");
    request.onerror = () => failed("The upload was cut off: the dashboard does not answer. Choose the file again when it does.");
    request.onload = function () {
      const answer = request.response || {};
      if (request.status !== 200) return failed(answer.error || "The upload was refused (" + request.status + "). Choose the file again.");
      if (!document.getElementById("drop-zone")) return;
      set("submit-source", { data: { upload: answer.upload, name: file.name, at: Date.now() } });
      set("submit-path", { value: "" });
    };
    failed("");
    set("submit-source", { data: null }); // what was chosen before is not what is to be submitted
    request.send(file);
  }

  document.addEventListener("click", function (event) {
    if (!event.target.closest || !event.target.closest("#choose-file")) return;
    const input = document.createElement("input");
    input.type = "file";
    input.onchange = () => input.files.length && upload(input.files[0]);
    input.click();
  });
  document.addEventListener("dragover", function (event) {
    if (!hasFile(event)) return;
    // A file that misses the zone must not replace the page.
    event.preventDefault();
    const over = document.getElementById("drop-zone");
    if (over) over.classList.toggle("over", Boolean(zone(event)));
  });
  document.addEventListener("drop", function (event) {
    if (!hasFile(event)) return;
    event.preventDefault();
    const over = zone(event);
    if (!over) return;
    over.classList.remove("over");
    if (event.dataTransfer.files.length) upload(event.dataTransfer.files[0]);
  });

  callbacks({
    showJob: function (run) {
      if (!run) return Array(10).fill(same());
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
        run.run ? "link" : "link hidden",
        run.about,
      ];
    },

    showGuesses: function (run) {
      if (!run || !run.run) return same();
      return "/evolution?run=" + encodeURIComponent(run.run) + (run.at === null ? "" : "&at=" + run.at);
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

    openSubmit: (clicks) => (clicks.some(Boolean) && window.guessbook.pressed() ? true : same()),
    closeSubmit: (clicks) => (clicks ? false : same()),
    // Bad lines are left out only if somebody says so.
    maySubmit: (source, count, skipped) => !(source && count && count.at === source.at && count.examples && (skipped || !count.bad_lines)),
    showUpload: (source) => (source && source.upload ? source.name : ""),
    // When the dialog opens or closes: the file of before must not be queued again by the next click.
    forgetFile: () => [null, ""],
    // A file is looked at, and another path typed means that it is no longer the one.
    submitPath: function (clicks, enters, typed, source) {
      const path = (typed || "").trim();
      if (window.dash_clientside.callback_context.triggered.some((one) => one.prop_id !== "submit-path.value")) return path ? { path, at: Date.now() } : same();
      return !source || path === (source.path || "") ? same() : null;
    },
  });
})();
