// The overview's selection, kept while one looks around: live totals, three-state parents, a page at a time.
// Everything works without this file; the server decides again what may be paid.
(() => {
  const selected = new Map(); // invoice id → minor units
  let currency = "";

  const form = () => document.getElementById("account");
  const all = (selector) => Array.from(form()?.querySelectorAll(selector) ?? []);
  const leaves = () => all('input[name="i"]:not([data-carried]):not(:disabled)');
  const most = () => Number(form().dataset.most);

  function money(minor) {
    const { currency: code, locale, places } = form().dataset;
    return new Intl.NumberFormat(locale, { style: "currency", currency: code }).format(minor / 10 ** Number(places));
  }

  function say(words) {
    const region = document.getElementById("announce");
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { region.textContent = words; }, 400);
  }

  function notice(words) {
    const place = form().querySelector("[data-notice]");
    place.hidden = !words;
    place.textContent = words;
  }

  function drawParents() {
    for (const parent of all("[data-parent]")) {
      const sites = leaves().filter((box) => box.dataset.group === parent.dataset.parent);
      const ticked = sites.filter((box) => box.checked).length;
      parent.checked = sites.length > 0 && ticked === sites.length;
      parent.indeterminate = ticked > 0 && ticked < sites.length;
      parent.classList.remove("is-partly");
    }
    const page = form().querySelector("[data-page]");
    if (page) {
      const boxes = leaves();
      const ticked = boxes.filter((box) => box.checked).length;
      page.disabled = boxes.length === 0;
      page.checked = boxes.length > 0 && ticked === boxes.length;
      page.indeterminate = ticked > 0 && ticked < boxes.length;
    }
  }

  function drawTotals(aloud) {
    const custom = form().querySelector("#custom")?.value.trim() ?? "";
    const total = Array.from(selected.values()).reduce((sum, minor) => sum + minor, 0);
    const words = `${selected.size} invoice${selected.size === 1 ? "" : "s"}`;
    all("[data-count]").forEach((place) => { place.textContent = selected.size; });
    all(".tile [data-total]").forEach((place) => { place.textContent = money(total); });
    const sum = form().querySelector(".bar-sum [data-total]");
    if (sum) {
      const code = form().dataset.currency;
      sum.textContent = custom ? `${custom} ${code}` : money(total);
      form().querySelector("[data-count-words]").textContent = custom ? "Oldest first" : words;
      form().querySelector("[data-continue]").disabled = !custom && selected.size === 0;
    }
    if (aloud) say(`${words} selected, ${money(total)}`);
  }

  function carry() {
    // What is selected but on another page goes along with the form.
    all("[data-carried]").forEach((field) => field.remove());
    const here = new Set(all('input[name="i"]').map((box) => box.value));
    for (const [id, minor] of selected) {
      if (here.has(id)) continue;
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "i", value: id });
      field.dataset.minor = minor;
      field.dataset.carried = "";
      form().append(field);
    }
  }

  function draw(aloud) {
    drawParents();
    drawTotals(aloud);
    carry();
  }

  function set(boxes, on) {
    const more = on ? boxes.filter((box) => !selected.has(box.value)) : [];
    if (selected.size + more.length > most()) return false;
    for (const box of boxes) {
      box.checked = on;
      if (on) selected.set(box.value, Number(box.dataset.minor));
      else selected.delete(box.value);
    }
    return true;
  }

  function readServer() {
    // The page as it came says what is selected.
    selected.clear();
    all('input[name="i"]').forEach((box) => {
      if (box.dataset.carried !== undefined || box.checked) selected.set(box.value, Number(box.dataset.minor));
    });
  }

  function takeOver() {
    // From here on the sites' boxes alone say what is selected; a parent's box only shows it.
    all("[data-parent]").forEach((box) => box.removeAttribute("name"));
    all('input[name="was"], .no-script').forEach((each) => each.remove());
    currency = form().dataset.currency;
  }

  function start() {
    if (!form()) return;
    document.documentElement.classList.add("scripted");
    readServer();
    takeOver();
    draw(false);
  }

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!form()?.contains(box)) return;
    notice("");
    let fits = true;
    let why = `One payment covers at most ${form().dataset.most} invoices.`;
    if (box.dataset.parent) {
      const sites = leaves().filter((each) => each.dataset.group === box.dataset.parent);
      fits = set(sites, box.checked);
      why += ` This one has ${sites.length} sites to pay, which do not fit, so none of them was selected.`;
    } else if (box.dataset.page !== undefined) {
      fits = set(leaves(), box.checked);
      why += " This page does not fit, so nothing was added.";
    } else if (box.name === "i") {
      fits = set([box], box.checked);
      if (!fits) box.checked = false;
    } else return;
    if (!fits) notice(why);
    draw(true);
  });

  document.addEventListener("input", (event) => {
    if (event.target.id === "custom") drawTotals(false);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !form()?.contains(event.target)) return;
    if (event.target.id === "custom") {
      event.preventDefault();
      form().querySelector("[data-continue]").click();
    } else if (event.target.id === "q") event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#account button[name=select]");
    if (!button || button.value === "all") return;
    // A page and nothing are known here; only 'all' needs the server.
    event.preventDefault();
    event.stopImmediatePropagation();
    notice("");
    if (button.value === "none") {
      selected.clear();
      leaves().forEach((box) => { box.checked = false; });
    } else if (!set(leaves(), true)) {
      notice(`One payment covers at most ${form().dataset.most} invoices, so this page was not added.`);
    }
    draw(true);
  }, true);

  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, verb } = event.detail;
    if (verb !== "get" || !form()?.contains(elt)) return;
    event.detail.asksForAll = elt.name === "select";
    if (elt.name === "select") event.detail.parameters.select = elt.value;
    form().dataset.asked = elt.name === "select" ? "all" : "";
    start.focused = document.activeElement === elt ? { id: elt.id, name: elt.name, value: elt.value } : null;
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id !== "account") return;
    start.asked = form().dataset.asked;
    start.caret = document.activeElement?.id === "q" ? [document.activeElement.value, document.activeElement.selectionStart] : null;
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (!form() || event.detail.target?.id !== "account") return;
    if (start.asked === "all" || form().dataset.currency !== currency) {
      readServer();
    } else {
      all('input[name="i"]:not([data-carried])').forEach((box) => {
        box.checked = !box.disabled && selected.has(box.value);
        if (box.disabled) selected.delete(box.value);
        else if (box.checked) selected.set(box.value, Number(box.dataset.minor));
      });
    }
    takeOver();
    draw(true);
    const place = form().querySelector("#q");
    if (start.caret && place) {
      place.value = start.caret[0];
      place.focus();
      place.setSelectionRange(start.caret[1], start.caret[1]);
    } else if (start.focused) {
      const { name, value } = start.focused;
      const again = all("button").find((button) => button.name === name && button.value === value);
      again?.focus();
    }
  });

  document.addEventListener("submit", (event) => {
    if (event.target !== form() || event.submitter?.hasAttribute("formaction")) return;
    // 'Back' from the next page finds the selection again.
    const here = new URL(location.href);
    here.searchParams.delete("i");
    here.searchParams.delete("select");
    for (const id of selected.keys()) here.searchParams.append("i", id);
    history.replaceState(history.state, "", here);
  });

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
