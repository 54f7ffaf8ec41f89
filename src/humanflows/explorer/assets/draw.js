/* Charts over years as SVG, and the table behind each picture. */
"use strict";
HF.draw = (() => {
  const { element, persons, short } = HF.names;
  const SVG = "http://www.w3.org/2000/svg";

  function svg(tag, attributes = {}, ...children) {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.flat().filter(Boolean));
    return made;
  }

  /* Round numbers from low to high, about as many as wanted. */
  function ticks(low, high, wanted = 5) {
    const span = high - low || 1, raw = span / wanted, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const out = [];
    for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k++) out.push(k * step);
    return out;
  }

  /* Marks of points: the side of a witness is told by shape, its source by colour too. */
  const MARKS = {
    circle: (x, y, r) => `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`,
    triangle: (x, y, r) => `M${x},${y - r * 1.2}l${r * 1.1},${r * 2}h${-r * 2.2}z`,
    diamond: (x, y, r) => `M${x},${y - r * 1.25}l${r * 1.25},${r * 1.25}l${-r * 1.25},${r * 1.25}l${-r * 1.25},${-r * 1.25}z`,
    square: (x, y, r) => `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  };

  function scales({ years, low, high, log, width, height, margin }) {
    const x = (year) => margin.left + ((year - years[0]) / Math.max(years[1] - years[0], 1)) * (width - margin.left - margin.right);
    const bottom = log ? Math.log10(low) : low, top = log ? Math.log10(high) : high;
    const y = (value) => {
      const at = log ? Math.log10(Math.max(value, low)) : value;
      return height - margin.bottom - ((at - bottom) / (top - bottom || 1)) * (height - margin.top - margin.bottom);
    };
    return { x, y };
  }

  /* Draw a chart over years.

     years: [first, last]; series: {title, kind: line | steps | points | area, colour, mark, hollow, dash, band,
     points: [[year, value(, lower, upper)]]}; marks: years with a line; shade: [first, last]; log; label: what it shows. */
  function chart(container, { years, series, current = null, shade = null, log = false, label, height = 280 }) {
    const width = Math.max(container.clientWidth || 320, 260), margin = { left: 50, right: 12, top: 12, bottom: 26 };
    const values = series.flatMap((s) => s.points.flatMap((p) => p.slice(1))).filter((v) => v !== null && !Number.isNaN(v));
    const few = series.some((s) => s.points.some((p) => p[1] !== null && p[1] < 10));
    let high = Math.max(...values, 10), low = log ? (few ? 1 : 10) : Math.min(0, ...values);
    // a few intervals without a known upper end must not flatten everything else
    const middle = Math.max(...series.flatMap((s) => s.points.map((p) => p[1] || 0)), 10);
    high = Math.min(high, middle * (log ? 100 : 4));
    high = log ? 10 ** Math.ceil(Math.log10(high)) : high * 1.05;
    const { x, y } = scales({ years, low, high, log, width, height, margin });
    const inside = (v) => Math.min(Math.max(v, low), high);
    const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "chart" });

    if (shade) {
      const left = x(shade[0] - 0.5), right = x(shade[1] + 0.5);
      root.append(svg("rect", { x: left, width: right - left, y: margin.top, height: height - margin.top - margin.bottom, class: "shade" }));
    }
    const marks = log ? Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, k) => low * 10 ** k) : ticks(low, high);
    for (const value of marks) {
      root.append(svg("line", { x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value), class: value === 0 ? "axis" : "grid" }));
      const text = svg("text", { x: margin.left - 6, y: y(value) + 4, class: "tick end" });
      text.textContent = log && value === 1 ? "≤ 1" : short(value);      // a logarithm has no place for nobody
      root.append(text);
    }
    for (const year of ticks(years[0], years[1], width < 420 ? 4 : 8).filter((v) => Number.isInteger(v))) {
      const text = svg("text", { x: x(year), y: height - 8, class: "tick middle" });
      text.textContent = year;
      root.append(text);
    }
    if (current !== null) root.append(svg("line", { x1: x(current), x2: x(current), y1: margin.top, y2: height - margin.bottom, class: "now" }));
    for (const s of series) {
      const points = s.points.filter((p) => p[1] !== null && !Number.isNaN(p[1]));
      const band = points.filter((p) => p.length > 3 && p[2] !== null && p[3] !== null);
      if (band.length > 1) {
        const up = band.map((p) => `${x(p[0])},${y(inside(p[3]))}`), down = band.map((p) => `${x(p[0])},${y(inside(p[2]))}`).reverse();
        root.append(svg("path", { d: `M${up.join("L")}L${down.join("L")}z`, class: "band", fill: s.colour }));
      }
      if (s.kind === "points") {
        for (const [year, value] of points) {
          root.append(svg("path", { d: MARKS[s.mark || "circle"](x(year), y(inside(value)), 3.6), class: s.hollow ? "mark hollow" : "mark",
            stroke: s.colour, fill: s.hollow ? "none" : s.colour }));
        }
      } else if (s.kind === "steps") {
        const d = points.map(([year, value]) => `M${x(year - 0.5)},${y(inside(value))}H${x(year + 0.5)}`).join("");
        root.append(svg("path", { d, class: "line", stroke: s.colour }));
      } else if (points.length) {
        const d = "M" + points.map(([year, value]) => `${x(year)},${y(inside(value))}`).join("L");
        root.append(svg("path", { d, class: "line", stroke: s.colour, "stroke-dasharray": s.dash }));
        if (points.length === 1) root.append(svg("path", { d: MARKS.circle(x(points[0][0]), y(inside(points[0][1])), 3), fill: s.colour }));
      }
    }
    container.replaceChildren(root, legend(series));
  }

  /* Bars of parts that add up to a whole, one for each year. */
  function bars(container, { years, parts, current, label, height = 220 }) {
    const width = Math.max(container.clientWidth || 320, 260), margin = { left: 50, right: 12, top: 12, bottom: 26 };
    const sums = years.map((_, t) => parts.reduce((sum, p) => sum + (p.values[t] || 0), 0)), high = Math.max(...sums, 10) * 1.05;
    const { x, y } = scales({ years: [years[0] - 0.5, years.at(-1) + 0.5], low: 0, high, log: false, width, height, margin });
    const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "chart" });
    for (const value of ticks(0, high)) {
      const text = svg("text", { x: margin.left - 6, y: y(value) + 4, class: "tick end" });
      text.textContent = short(value);
      root.append(svg("line", { x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value), class: value ? "grid" : "axis" }), text);
    }
    const wide = Math.max(x(years[0] + 1) - x(years[0]) - 1, 2);
    years.forEach((year, t) => {
      let below = 0;
      for (const part of parts) {
        const value = part.values[t] || 0;
        root.append(svg("rect", { x: x(year) - wide / 2, width: wide, y: y(below + value), height: Math.max(y(below) - y(below + value), 0),
          fill: part.fill, class: year === current ? "bar here" : "bar" }));
        below += value;
      }
    });
    for (const year of ticks(years[0], years.at(-1), width < 420 ? 4 : 8).filter((v) => Number.isInteger(v))) {
      const text = svg("text", { x: x(year), y: height - 8, class: "tick middle" });
      text.textContent = year;
      root.append(text);
    }
    container.replaceChildren(root, legend(parts.map((p) => ({ title: p.title, kind: "area", colour: p.fill }))));
  }

  function legend(series) {
    const keys = series.filter((s) => s.title).map((s) => {
      const key = svg("svg", { width: 18, height: 12, "aria-hidden": "true" });
      if (s.kind === "points") key.append(svg("path", { d: MARKS[s.mark || "circle"](9, 6, 4), stroke: s.colour, fill: s.hollow ? "none" : s.colour, "stroke-width": 1.5 }));
      else if (s.kind === "area") key.append(svg("rect", { x: 2, y: 1, width: 14, height: 10, fill: s.colour }));
      else key.append(svg("line", { x1: 0, x2: 18, y1: 6, y2: 6, stroke: s.colour, "stroke-width": 2.5, "stroke-dasharray": s.dash }));
      return element("li", {}, key, s.title);
    });
    return element("ul", { class: "legend" }, keys);
  }

  /* A table: heads are texts, rows lists of texts; numbers are set to the right. */
  function table(caption, heads, rows) {
    const cell = (value, k) => (k === 0 ? element("th", { scope: "row" }, value)
      : element("td", { class: typeof value === "number" || /^[−+\d–]|^below /.test(value) ? "number" : null }, typeof value === "number" ? persons(value) : value));
    return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
      element("table", {}, element("caption", {}, caption),
        element("thead", {}, element("tr", {}, heads.map((h) => element("th", { scope: "col" }, h)))),
        element("tbody", {}, rows.map((row) => element("tr", {}, row.map(cell))))));
  }

  /* The table behind a picture: made when it is opened, and made anew when what is chosen changes. */
  function tableBehind(details, make) {
    const fill = () => {
      if (!details.open) return;
      details.querySelector(".body").replaceChildren(table(...make()));
    };
    details.ontoggle = fill;
    fill();
  }

  return { svg, chart, bars, table, tableBehind };
})();
