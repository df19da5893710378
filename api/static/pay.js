// The pay page's live figures. The server works them out again; without this file a button asks it to.
(() => {
  const form = document.getElementById("pay");
  if (!form) return;
  document.documentElement.classList.add("scripted");
  const places = Number(form.dataset.places);
  const writer = new Intl.NumberFormat(form.dataset.locale, { style: "currency", currency: form.dataset.currency });
  const money = (minor) => writer.format(minor / 10 ** places);
  const fields = Array.from(form.querySelectorAll("input[data-available]"));

  // Only what can be read in one way; anything else is left to the server's sentence.
  function minorOf(text) {
    const clean = text.trim().replace(/\s/g, "");
    const match = clean.match(/^(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d+))?$/);
    if (!match || (match[2] ?? "").length > places) return null;
    return Number(match[1].replaceAll(",", "") + (match[2] ?? "").padEnd(places, "0"));
  }

  function draw() {
    let total = 0;
    let overdue = 0;
    let known = true;
    for (const field of fields) {
      const minor = minorOf(field.value);
      const available = Number(field.dataset.available);
      const left = form.querySelector(`[data-left="${field.name}"]`);
      const fits = minor !== null && minor > 0 && minor <= available;
      field.setAttribute("aria-invalid", String(!fits));
      if (!fits) {
        known = false;
        left.textContent = minor !== null && minor > available ? `at most ${money(available)}` : "–";
        continue;
      }
      total += minor;
      if (field.dataset.isOverdue !== undefined) overdue += minor;
      left.replaceChildren();
      if (minor === available) {
        const paid = document.createElement("span");
        paid.className = "is-good";
        paid.textContent = "paid";
        left.append(paid);
      } else left.textContent = money(available - minor);
    }
    const button = form.querySelector("[data-pay]");
    if (button) button.disabled = !known;
    if (!known) return;
    form.elements.shown.value = total;
    form.querySelectorAll("[data-total]").forEach((place) => { place.textContent = money(total); });
    form.querySelector("[data-balance-after]").textContent = money(Number(form.dataset.balance) - total);
    form.querySelector("[data-overdue-after]").textContent = money(Number(form.dataset.overdue) - overdue);
    const region = document.getElementById("announce");
    clearTimeout(draw.timer);
    draw.timer = setTimeout(() => { region.textContent = `To pay now: ${money(total)}`; }, 500);
  }

  fields.forEach((field) => field.addEventListener("input", draw));
  // A second press changes nothing over there; here it is not even sent.
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, 8000);
  });
  addEventListener("pageshow", () => { delete form.dataset.sent; });
})();
