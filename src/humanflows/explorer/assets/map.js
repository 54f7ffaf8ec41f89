/* The map: territories by the size of a flow, arcs to the largest partners, and a way through them by keyboard. */
"use strict";
HF.map = (() => {
  const { svg } = HF.draw;
  const { element, short } = HF.names;
  const STEPS = [0.5, 10, 100, 1e3, 1e4, 1e5];     // persons; from one to the next is a shade
  const ZOOMS = [1, 2, 4, 8];

  const shade = (value) => STEPS.reduce((found, step, k) => (value >= step ? k + 1 : found), 0);

  /* A map in a container. options: label; choose(k) when a territory is chosen; say(k) gives its sentence. */
  function create(container, { outlines, label, choose = null, say = null }) {
    const { width, height } = outlines;
    const land = svg("g", { class: "land" }), arcs = svg("g", { class: "arcs" }), dots = svg("g", { class: "dots" });
    const ring = svg("circle", { class: "cursor", r: 0 });
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "map", ...(choose
      ? { tabindex: 0, role: "application", "aria-roledescription": "map" } : { role: "img" }), "aria-label": label });
    const shapes = outlines.paths.map((d, k) => {
      const shape = svg("path", { d, "data-k": k });
      land.append(shape);
      return shape;
    });
    const circles = outlines.points.map((point, k) => {
      if (!point || !outlines.small[k]) return null;
      const circle = svg("circle", { cx: point[0], cy: point[1], r: 9, "data-k": k });
      dots.append(circle);
      return circle;
    });
    root.append(svg("path", { d: outlines.graticule, class: "globe" }), land, dots, arcs, ring);
    const status = element("p", { class: "status", role: "status", "aria-live": "polite" });
    const frame = element("div", { class: "frame" }, root);
    let zoom = 0, centre = [width / 2, height / 2], order = [], cursor = -1, shown = null;

    function look() {
      const w = width / ZOOMS[zoom], h = height / ZOOMS[zoom];
      const left = Math.min(Math.max(centre[0] - w / 2, 0), width - w), top = Math.min(Math.max(centre[1] - h / 2, 0), height - h);
      root.setAttribute("viewBox", `${left} ${top} ${w} ${h}`);
      root.style.setProperty("--step", String(1 / ZOOMS[zoom]));
      drawArcs();
    }

    function step(by) {
      zoom = Math.min(Math.max(zoom + by, 0), ZOOMS.length - 1);
      look();
    }

    const buttons = element("div", { class: "zoom", role: "group", "aria-label": "Size of the map" },
      element("button", { type: "button", "aria-label": "Larger", onclick: () => step(1) }, "+"),
      element("button", { type: "button", "aria-label": "Smaller", onclick: () => step(-1) }, "−"),
      element("button", { type: "button", "aria-label": "Whole world", onclick: () => step(-ZOOMS.length) }, "○"));

    function drawArcs() {
      const { list = [] } = shown || {}, most = Math.max(...list.map((a) => a.value), 1), thick = 1 / ZOOMS[zoom];
      const { codes } = HF.numbers.about(), { points } = outlines;
      arcs.replaceChildren(...list.filter((a) => points[a.o] && points[a.d]).map((a) => svg("path", {
        d: HF.arcs.path(points[a.o], points[a.d], outlines), class: "arc", "data-corridor": `${codes[a.o]}-${codes[a.d]}`,
        "stroke-width": (2 + 22 * Math.sqrt(a.value / most)) * thick })));
    }

    /* Show values by territory (persons), arcs, who is chosen, and the order of the keyboard's way. */
    function paint({ values, arcs: list, chosen = -1, partner = -1, follow = [], text = label }) {
      shown = { list };
      order = follow;
      cursor = order.indexOf(partner);
      shapes.forEach((shape, k) => {
        const kind = `${k === chosen ? "chosen" : `s${shade(values[k] || 0)}`}${k === partner ? " partner" : ""}`;
        shape.setAttribute("class", kind);
        circles[k]?.setAttribute("class", kind);
      });
      if (chosen >= 0 && outlines.points[chosen]) centre = outlines.points[chosen];
      else centre = [width / 2, height / 2];
      root.setAttribute("aria-label", text);
      mark(partner);
      look();
    }

    function mark(k) {
      const point = outlines.points[k];
      ring.setAttribute("r", point ? 26 / ZOOMS[zoom] : 0);
      if (point) { ring.setAttribute("cx", point[0]); ring.setAttribute("cy", point[1]); }
    }

    function tell(k) {
      if (say && k >= 0) status.textContent = say(k);
    }

    if (choose) {
      const under = (event) => Number(event.target.dataset?.k ?? -1);
      root.addEventListener("pointermove", (event) => tell(under(event)));
      root.addEventListener("click", (event) => { if (under(event) >= 0) choose(under(event)); });
      root.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (by && order.length) {
          cursor = cursor < 0 ? (by > 0 ? 0 : order.length - 1) : (cursor + by + order.length) % order.length;
        } else if (event.key === "Home" && order.length) cursor = 0;
        else if (event.key === "End" && order.length) cursor = order.length - 1;
        else if ((event.key === "Enter" || event.key === " ") && cursor >= 0) choose(order[cursor]);
        else if (event.key === "+" || event.key === "=") step(1);
        else if (event.key === "-") step(-1);
        else return;
        event.preventDefault();
        if (cursor >= 0) { mark(order[cursor]); tell(order[cursor]); }
      });
    }
    frame.append(buttons);
    container.replaceChildren(frame, key(), status);
    return { paint, status };
  }

  function key() {
    const from = STEPS.map((s) => short(Math.round(s)));        // half a person and more is somebody
    const classes = ["nobody", ...from.map((s, k) => (k < from.length - 1 ? `${s}–${from[k + 1]}` : `${s} or more`))];
    return element("ul", { class: "legend shades", "aria-label": "Persons in the year" },
      classes.map((text, k) => element("li", {}, element("span", { class: `swatch s${k}`, "aria-hidden": "true" }), text)));
  }

  return { create };
})();
