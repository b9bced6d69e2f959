// The tab's end of /live: reads messages, says how the line is, and marks the topics they touch.
// A part of the page asks the server again only when its topic's store is set here.
(function () {
  "use strict";
  const { ago } = window.guessbook;
  const STALE_AFTER_MS = 12000; // the server says something every 5 s
  const LONGEST_WAIT_MS = 5000;
  // At most one question in this time, for each topic.
  const PACE_MS = { jobs: 250, versions: 500, backups: 500, steps: 1000, snapshots: 500, example: 2000, events: 1000 };

  let shown = { run: "", at: null };
  let example = null;
  let position = 0;
  let opened = false;
  let wait = 200;
  let link = "connecting";
  let lastMessage = 0;
  let lastNews = 0;
  let goneSince = 0;
  let lastLive = 0;
  let missed = false; // something was touched while nobody looked
  const due = {};
  const asked = {};

  const set = (id, props) => window.dash_clientside.set_props(id, props);

  function mark(topic) {
    if (due[topic]) return;
    const rest = Math.max(0, PACE_MS[topic] - (Date.now() - (asked[topic] || 0)));
    due[topic] = setTimeout(function () {
      due[topic] = null;
      asked[topic] = Date.now();
      set(topic + "-touched", { data: { ...shown, position } });
    }, rest);
  }

  function markAll() {
    Object.keys(PACE_MS).forEach(mark);
  }

  function touch(topics) {
    // The past does not change.
    if (shown.at !== null || !topics.length) return;
    lastNews = Date.now();
    // A tab that nobody looks at asks nothing; it catches up when it is seen again.
    if (document.hidden) return void (missed = true);
    mark("events");
    for (const topic of topics) {
      if (topic === "*") markAll();
      else if (topic === "jobs" || topic === "versions" || topic === "backups") mark(topic);
      else if (topic === "steps:" + shown.run) mark("steps");
      else if (topic === "snapshots:" + shown.run) mark("snapshots");
      else if (example !== null && topic === "example:" + shown.run + ":" + example) mark("example");
    }
  }

  function receive(message) {
    lastMessage = Date.now();
    position = message.position;
    if (message.link === "live" && link !== "live" && opened) markAll();
    setLink(message.link);
    touch(message.touched);
    if (message.touched.length || message.position !== 0) set("live", { data: message });
  }

  function setLink(now) {
    if (now !== "live" && (link === "live" || link === "connecting")) goneSince = Date.now();
    if (now === "live" && link !== "live" && goneSince) set("problem", { children: null });
    if (now === "live") lastLive = Date.now();
    link = now;
    showLine();
  }

  let line = "";
  function showLine() {
    let state = link;
    if (link === "live" && Date.now() - lastMessage > STALE_AFTER_MS) state = "stale";
    if (link === "reconnecting" && Date.now() - goneSince > STALE_AFTER_MS) state = "stale";
    if (link === "live" && shown.at !== null) state = "past";
    const words = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", stale: "Stale", past: "Past" };
    const age = state === "live" ? (lastNews ? "updated " + ago(lastNews) : "") : state === "stale" && lastLive ? "last heard " + ago(lastLive) : "";
    if (line === state + age) return;
    line = state + age;
    set("line", { className: "line " + state });
    set("line-word", { children: words[state] });
    set("line-age", { children: age });
  }

  function connect() {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/live");
    socket.onopen = function () {
      wait = 200;
      // Whatever happened while the line was down was not told.
      if (opened) markAll();
      opened = true;
    };
    socket.onmessage = (event) => receive(JSON.parse(event.data));
    socket.onclose = function () {
      setLink("reconnecting");
      setTimeout(connect, wait * (0.5 + Math.random() / 2));
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    };
  }

  window.guessbookLive = {
    start: function () {
      if (lastMessage || window.guessbookLive.started) return;
      window.guessbookLive.started = true;
      connect();
      setInterval(showLine, 1000);
      document.addEventListener("visibilitychange", function () {
        if (document.hidden || !missed) return;
        missed = false;
        markAll();
      });
    },
    // The page is about this run at this point; all parts that depend on it ask again.
    show: function (run, at) {
      if (run === shown.run && at === shown.at) return;
      shown = { run, at };
      set("run-shown", { data: { ...shown, position } });
      markAll();
      showLine();
    },
    setExample: function (index) {
      example = index;
    },
    position: () => position,
  };
})();
