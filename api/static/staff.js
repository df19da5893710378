// Keys for staff: j and k walk through the list, Enter opens (it is a link), / searches; a, r and t go to the
// buttons that bear them, and Enter presses: no key alone decides anything. Everything works without them.
"use strict";
(() => {
  const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;
  const walk = (step) => {
    const links = [...document.querySelectorAll("[data-rows] .row-link")];
    if (links.length === 0) return;
    const here = links.findIndex((link) => link === document.activeElement || link.hasAttribute("aria-current"));
    const focused = links.indexOf(document.activeElement);
    const from = focused >= 0 ? focused : here;
    links[Math.min(links.length - 1, Math.max(0, from + step))].focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "j") walk(1);
    else if (event.key === "k") walk(-1);
    else if ("art".includes(event.key)) document.querySelector(`[data-key="${event.key}"]`)?.focus();
    else if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search === null) return;
      event.preventDefault();
      search.focus();
    }
  });
  document.querySelectorAll("[data-copy]").forEach((field) => field.addEventListener("focus", () => field.select()));
})();
