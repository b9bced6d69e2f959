// Times as they are told in the browser, in its time zone; in the form that clock.py gives the others.
(function () {
  "use strict";
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const two = (number) => String(number).padStart(2, "0");
  const clock = (time) => [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");

  Object.assign(window.guessbook, {
    // "today 03:00:05", "17 Nov 03:00:05", "17 Nov 2025 03:00:05"
    moment: function (time_us) {
      const [time, now] = [new Date(time_us / 1000), new Date()];
      if (time.toDateString() === now.toDateString()) return "today " + clock(time);
      const year = time.getFullYear() === now.getFullYear() ? "" : " " + time.getFullYear();
      return time.getDate() + " " + MONTHS[time.getMonth()] + year + " " + clock(time);
    },

    // "2026-11-17 03:00:05 Europe/Zurich"
    exact: function (time_us) {
      const time = new Date(time_us / 1000);
      const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
      return day + " " + clock(time) + " " + Intl.DateTimeFormat().resolvedOptions().timeZone;
    },

    // `time`: milliseconds since 1970.
    ago: function (time) {
      const s = Math.max(0, Math.round((Date.now() - time) / 1000));
      if (s < 2) return "just now";
      if (s < 60) return s + " s ago";
      if (s < 7200) return Math.floor(s / 60) + " min ago";
      return s < 172800 ? Math.floor(s / 3600) + " h ago" : Math.floor(s / 86400) + " days ago";
    },
  });
})();
