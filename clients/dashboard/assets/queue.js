// The page Training's queue: drawn when it changed, and put into order by dragging a row before another, or behind all.
(function () {
  "use strict";
  const { set, same, callbacks } = window.guessbook;

  let dragged = null; // a job's id

  // A row that is drawn anew under a pressed button would take the click or the dragging with it.
  let held = false;
  let late = null; // what came meanwhile
  function release() {
    held = false;
    if (late && document.getElementById("jobs")) set("queue-drawn", { data: late });
    late = null;
  }
  document.addEventListener("pointerdown", (event) => (held = Boolean(event.target.closest(".card.jobs"))), true);
  document.addEventListener("pointerup", () => setTimeout(release), true); // the click comes after it
  document.addEventListener("pointercancel", () => dragged === null && release(), true); // dragging begins with it, too

  const row = (event) => event.target.closest && event.target.closest(".job-row[data-job]");

  // The row that the dragged one would come before; null: behind all.
  function target(event) {
    const over = row(event);
    if (!over) return undefined;
    const box = over.getBoundingClientRect();
    if (event.clientY < box.top + box.height / 2) return over;
    let next = over.nextElementSibling;
    while (next && !next.dataset.job) next = next.nextElementSibling;
    return next;
  }

  function unmark() {
    for (const each of document.querySelectorAll(".job-row.drop-before, .job-row.drop-after")) each.classList.remove("drop-before", "drop-after");
  }

  document.addEventListener("dragstart", function (event) {
    const from = row(event);
    if (!from) return;
    dragged = from.dataset.job;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged);
  });
  document.addEventListener("dragover", function (event) {
    if (dragged === null) return;
    const before = target(event);
    if (before === undefined) return;
    event.preventDefault();
    unmark();
    if (before) before.classList.add("drop-before");
    else row(event).classList.add("drop-after");
  });
  document.addEventListener("drop", function (event) {
    if (dragged === null) return;
    const before = target(event);
    const job = dragged;
    dragged = null;
    unmark();
    if (before === undefined) return;
    event.preventDefault();
    const to = before ? before.dataset.job : "";
    if (to !== job) set("pressed", { data: { name: "move", job, to, at: Date.now() } });
  });
  document.addEventListener("dragend", function () {
    dragged = null;
    unmark();
    release();
  });

  callbacks({
    drawQueue: function (drawn, ...shown) {
      if (held) late = drawn;
      if (held || !drawn) return Array(shown.length).fill(same());
      return drawn.map((part, place) => (JSON.stringify(part) === JSON.stringify(shown[place]) ? same() : part));
    },
  });
})();
