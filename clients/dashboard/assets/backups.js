// The page Backups: its buttons.
(function () {
  "use strict";
  const { set, same, pressed, callbacks } = window.guessbook;

  let orders = 0;
  const order = (task, id, place) => ({ task, id: id || "", place: place || "", once: (orders += 1) });

  document.addEventListener("click", function (event) {
    const on = (what) => event.target.closest && event.target.closest(".page-backups " + what);
    const button = on("button[data-task]");
    if (!button) return;
    const { task, backup, place } = button.dataset;
    if (task === "restore") set("restore-what", { data: order(task, backup, place) });
    else set("backup-order", { data: order(task, backup, place) });
  });

  callbacks({
    browserZone: () => Intl.DateTimeFormat().resolvedOptions().timeZone || "",

    createBackup: (clicks, place) => (clicks ? order("create", "", place) : same()),

    openRestore: function (what) {
      if (!what) return [same(), same(), same()];
      if (pressed() === "restore-cancel") return [false, same(), same()];
      return [true, "Restore " + what.id + " at " + what.place, ""];
    },

    changeSettings: function (change, close, yaml) {
      if (!change && !close) return same();
      if (pressed() === "settings-change") window.guessbook.guard("change-config", "", yaml);
      return false;
    },
  });
})();
