// The links of the export menu: the run, the point in time and the filters of the page.
(function () {
  "use strict";
  const { callbacks } = window.guessbook;

  callbacks({
    exportLinks: function (filtered, matching, ids) {
      const query = new URLSearchParams(filtered ? filtered.search : "");
      if (filtered && filtered.run) query.set("run", filtered.run);
      if (filtered && filtered.at !== null) query.set("at", filtered.at);
      return [
        ids.map(function (id) {
          const asked = new URLSearchParams(query);
          asked.set("format", id.format);
          return "/export?" + asked.toString();
        }),
        matching ? "Export " + matching : "Export",
      ];
    },
  });
})();
