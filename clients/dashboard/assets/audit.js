// The page Audit and log: its filters, and when the list of events is asked for again.
(function () {
  "use strict";
  const { same, pressed, count, read, changed, callbacks } = window.guessbook;
  const ASKED = ["type", "subject", "actor", "before", "event", "at"]; // what of the address the list depends on

  const key = (search) => ASKED.map(read(search)).join("\n");

  // Whoever has scrolled down reads: what is new is counted, and does not move what is read.
  function readsOn() {
    const list = document.getElementById("events");
    return list && list.getBoundingClientRect().top < 90;
  }

  callbacks({
    askEvents: function (search, touched, clicks, asked) {
      const given = read(search);
      const question = { search: search || "", asked: Date.now() };
      const values = [given("type") ? given("type").split(",") : [], given("subject"), given("actor")];
      if (!asked || key(asked.search) !== key(search)) return [question, ...values];
      if (pressed() === "events-newest" && clicks) {
        document.getElementById("audit-lists").scrollIntoView();
        return [question, same(), same(), same()];
      }
      // Links in the rows carry the rest of the address.
      const live = pressed() === "events-touched" && !given("before") && !given("at") && !readsOn();
      return [live || asked.search !== (search || "") ? question : same(), same(), same(), same()];
    },

    filterEvents: function (types, subject, actor, newest) {
      if (pressed() === "events-newest") return newest ? changed(location.search, { before: null }) : same();
      const given = read(location.search);
      const chosen = { type: (types || []).join(","), subject: subject || "", actor: actor || "" };
      const different = Object.keys(chosen).some((name) => chosen[name] !== given(name));
      return different ? changed(location.search, { ...chosen, before: null }) : same();
    },

    newEvents: function (live, shown, search) {
      if (!shown || read(search)("at")) return ["", "newest"];
      const fresh = live ? live.position - shown.position : 0;
      if (shown.first && fresh <= 0) return ["", "newest"];
      // How many of them a filter leaves, only the server could say.
      const filtered = ["type", "subject", "actor"].some((name) => read(search)(name));
      const counted = filtered ? "The log went on" : count(fresh) + (fresh === 1 ? " new event" : " new events");
      const words = fresh > 0 ? counted : "To the newest events";
      // A list that follows the log needs no hint for what it is about to show.
      return [words, shown.first && !readsOn() ? "newest" : "newest shown"];
    },

    filterOperations: function (kind, by) {
      const given = read(location.search);
      if ((kind || "") === given("kind") && (by || "") === given("by")) return same();
      return changed(location.search, { kind: kind || null, by: by || null });
    },
  });
})();
