// The links of the export menu: the run, the point in time and the filters of the page.
(function () {
  "use strict";
  const { same, callbacks, filters } = window.guessbook;
  const { tell } = filters;

  callbacks({
    exportLinks: function (filtered, matching, ids) {
      const query = new URLSearchParams(filtered ? filtered.search : "");
      if (filtered && filtered.run) query.set("run", filtered.run);
      if (filtered && filtered.at !== null) query.set("at", filtered.at);
      for (const id of ids) tell(id, { href: "/export?" + new URLSearchParams([...query, ["format", id.format]]) });
      tell("export-many", { children: matching ? "Export " + matching : "Export" });
      return [ids.map(same), same()];
    },
  });
})();
