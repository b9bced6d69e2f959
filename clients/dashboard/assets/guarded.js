// The dialog of guarded operations. A click on whatever has data-guarded opens it.
(function () {
  "use strict";
  const { set, same, callbacks } = window.guessbook;

  let asked = 0;
  window.guessbook.guard = function (kind, target, argument) {
    asked += 1;
    set("guarded-asked", { data: { kind, target: target || "", argument: argument || "", once: "click-" + asked } });
  };

  document.addEventListener("click", function (event) {
    const button = event.target.closest && event.target.closest("[data-guarded]");
    if (button) window.guessbook.guard(button.dataset.guarded, button.dataset.target, button.dataset.argument);
  });

  callbacks({
    // One that still runs goes on, and is told of when it is over.
    openGuarded: function (asked, running, left) {
      if (!asked) return Array(9).fill(same());
      return [true, asked.target, "guarded asking", "", "", "", null, null, running ? [...(left || []), running] : same()];
    },

    closeGuarded: (cancelled, closed) => (cancelled || closed ? false : same()),

    mayConfirm: function (reason, typed, order) {
      const named = order && (!order.typed || typed.trim() === order.typed);
      return !(named && reason.trim());
    },
  });
})();
