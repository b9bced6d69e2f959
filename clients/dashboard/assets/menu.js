// Menus: `details.menu`, whose `.menu-list` stands beside its button, over everything, until something else is clicked.
(function () {
  "use strict";
  const open = () => document.querySelector("details.menu[open]");

  function place(menu) {
    const list = menu.querySelector(".menu-list");
    const box = menu.querySelector("summary").getBoundingClientRect();
    const below = box.bottom + 4;
    const fits = below + list.offsetHeight < window.innerHeight - 64;
    list.style.top = Math.max(8, fits ? below : box.top - 4 - list.offsetHeight) + "px";
    const width = document.documentElement.clientWidth;
    list.style.right = Math.max(8, Math.min(width - box.right, width - list.offsetWidth - 8)) + "px";
  }

  // A row that is drawn anew has a new menu.
  let kept = null; // the name of the one that is open
  const again = new MutationObserver(function () {
    const menu = document.querySelector('details.menu[data-menu="' + CSS.escape(kept) + '"]:not([open])');
    if (menu) menu.open = true;
  });
  function keep(name) {
    kept = name || null;
    again.disconnect();
    if (kept) again.observe(document.body, { childList: true, subtree: true });
  }

  function close(except) {
    if (!except) keep(null);
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
  }

  // What happens within a menu leaves it open: its own list is scrolled, or a phone's keyboard comes up for its field.
  function moved(event) {
    const menu = open();
    const within = menu && (event.type === "scroll" ? menu.contains(event.target) : menu.contains(document.activeElement));
    if (!within) close(null);
  }

  document.addEventListener(
    "toggle",
    function (event) {
      const menu = event.target;
      if (!menu.matches("details.menu")) return;
      if (menu.open) {
        place(menu);
        keep(menu.dataset.menu);
      } else if (menu.isConnected && menu.dataset.menu === kept) keep(null);
    },
    true
  );
  document.addEventListener("click", function (event) {
    const within = event.target.closest(".menu-entry, .menu-list a") ? null : event.target.closest("details.menu");
    close(within);
  });
  // Before anything else on the page takes the key for itself.
  document.addEventListener(
    "keydown",
    function (event) {
      const menu = open();
      if (event.key !== "Escape" || !menu) return;
      event.preventDefault();
      close(null);
      menu.querySelector("summary").focus();
    },
    true
  );
  for (const kind of ["scroll", "resize"]) window.addEventListener(kind, moved, true);
})();
