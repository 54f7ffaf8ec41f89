/* Ranked partners: a table whose rows carry a bar with its interval, the grade, and what others say. */
"use strict";
HF.ranking = (() => {
  const { element, persons, interval } = HF.names;
  const { svg } = HF.draw;
  const SHORT = 12;
  let everything = false;

  /* A bar from nobody to the estimate with a stroke from the interval's lower to its upper end. */
  function bar({ value, lower, upper }, most) {
    const at = (v) => Math.min((100 * v) / most, 100);
    const root = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" },
      svg("rect", { x: 0, y: 1, width: at(value), height: 8, class: "value" }));
    if (lower !== null && upper !== null) {
      root.append(svg("line", { x1: at(lower), x2: at(upper), y1: 5, y2: 5, class: upper > most ? "interval open" : "interval" }));
    }
    return root;
  }

  function draw(container, { view, partners, columns, choose, basis }) {
    const about = HF.numbers.about(), shown = everything ? partners : partners.slice(0, SHORT);
    const most = Math.max(...partners.map((p) => p.value), 1) * (partners.some((p) => p.upper !== null) ? 1.6 : 1);
    const graded = partners.some((p) => p.grade), t = view.year - about.years[0], here = HF.numbers.index(view.territory);
    const heads = [here < 0 ? "Territory" : "Partner", "Persons", graded ? "Grade" : null, ...columns.map((c) => c.title)].filter(Boolean);
    const rows = shown.map((p) => {
      const others = columns.map((c) => element("td", { class: "number" },
        here < 0 ? persons(HF.numbers.other(c.key, view.direction, p.k, null, t))
          : HF.names.numberOrLimit(HF.numbers.other(c.key, view.direction, here, p.k, t), HF.numbers.limit(c.key, view.direction, here, p.k, t))));
      const current = about.codes[p.k] === view.partner;
      return element("tr", { class: current ? "current" : null },
        element("th", { scope: "row" }, element("button", { type: "button", class: "link", "data-code": about.codes[p.k],
          "aria-pressed": here < 0 ? null : String(current), onclick: () => choose(p.k) }, about.names[p.k])),
        element("td", { class: "amount" }, element("span", { class: "persons" }, persons(p.value)),
          p.lower === null ? null : element("span", { class: "interval" }, interval(p.lower, p.upper)), bar(p, most)),
        graded ? element("td", { class: "grade" }, p.grade ? element("span", { class: `grade ${p.grade}`, title: basis(p.basis) }, p.grade) : "–") : null,
        others);
    });
    const more = partners.length > SHORT ? element("button", { type: "button", class: "more", "aria-expanded": String(everything),
      onclick: () => { everything = !everything; draw(container, { view, partners, columns, choose, basis }); container.querySelector("button.more")?.focus(); } },
    everything ? `Show the first ${SHORT}` : `Show all ${partners.length}`) : null;
    const caption = `${here < 0 ? "Territories" : "Partners"}, largest first, persons in ${view.year}`;
    container.replaceChildren(partners.length
      ? element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
        element("table", { class: "ranking" }, element("caption", {}, caption),
          element("thead", {}, element("tr", {}, heads.map((h) => element("th", { scope: "col" }, h)))), element("tbody", {}, rows)))
      : element("p", {}, "Nobody is estimated to move."), more || "");
  }

  return { draw };
})();
