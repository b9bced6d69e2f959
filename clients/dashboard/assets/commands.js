// Clicks that give orders (commands.py). Jobs that are dragged give them too (queue.js).
(function () {
  "use strict";
  const { same, pressed, callbacks } = window.guessbook;

  callbacks({
    press: function (clicks, run) {
      const id = pressed();
      const now = window.dash_clientside.callback_context.triggered[0];
      // A row that was just drawn triggers too, without a click.
      if (!id || !now || !now.value) return same();
      const job = id.job || (id.name.startsWith("queue-") ? "" : (run && run.job) || "");
      return { name: id.name, job, to: id.to, at: Date.now() };
    },
  });
})();
