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

  // It follows its button, and goes with it: but not while a field in it has a phone's keyboard up.
  function moved(event) {
    const menu = open();
    if (!menu || (event.type === "scroll" && menu.contains(event.target))) return;
    const button = menu.querySelector("summary").getBoundingClientRect();
    if (button.bottom > 0 && button.top < window.innerHeight) place(menu);
    else if (!menu.querySelector(".menu-list").contains(document.activeElement)) close(null);
  }

  document.addEventListener("toggle", (event) => event.target.matches("details.menu[open]") && place(event.target), true);
  document.addEventListener("click", function (event) {
    const within = event.target.closest(".menu-entry, .menu-list a") ? null : event.target.closest("details.menu");
    close(within);
    if (!event.target.closest("details.menu > summary")) return;
    event.preventDefault(); // at once, not when the browser comes to it: by then the row may be another
    within.open = !within.open;
    keep(within.open && within.dataset.menu);
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
