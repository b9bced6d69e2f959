// Insights: each is a filter, and names the examples that are the clearest.
(function () {
  "use strict";
  const { same, pressed, read, changed, callbacks } = window.guessbook;

  callbacks({
    listInsight: function (clicks, search) {
      if (!pressed() || !clicks.some(Boolean)) return same();
      const word = pressed().word;
      return changed(search, { insight: read(search)("insight") === word ? null : word, row: null });
    },

    openOfInsight: function (clicks, search) {
      if (!pressed() || !clicks.some(Boolean)) return same();
      return changed(search, { insight: pressed().word, example: pressed().index, row: null });
    },

    pressInsights: function (search, ids) {
      const word = read(search)("insight");
      return ids.map((id) => String(id.word === word));
    },
  });
})();
