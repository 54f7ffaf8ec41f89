/* Flows over the years: of a territory, or of one corridor with every witness's points. */
"use strict";
HF.series = (() => {
  const { numbers } = HF;
  const STYLES = { reference: { colour: "#3b5b92", dash: "7 4" }, meta: { colour: "#7fb2e5" } };
  const OTHERS = ["#8a7a5c", "#5c3d73", "#37a484", "#e596b9", "#1d2733", "#ab4d79", "#80755b"];
  const MARKS = { immigration: "circle", emigration: "triangle", both: "diamond" };

  const styleOf = (key) => STYLES[key] || { colour: OTHERS[(Number(key.split("_").at(-1)) - 1 || 0) % OTHERS.length] };

  /* The estimate's course: [year, value, lower, upper]. */
  function own(view, here, there) {
    const { years } = numbers.about();
    return years.map((year, t) => {
      if (there === null) {
        const { value, lower, upper } = numbers.total(view.direction, here, t, view.birthplace);
        return [year, value, lower, upper];
      }
      const [o, d] = numbers.ends(view.direction, here, there), value = numbers.flow(o, d, t, view.birthplace);
      const { lower, upper } = numbers.judged(o, d, t, view.birthplace);
      return [year, value, lower, upper];
    });
  }

  function world(view) {
    const { years, codes } = numbers.about();
    return years.map((year, t) => [year, codes.reduce((sum, _, k) => sum + (numbers.total(view.direction, k, t, view.birthplace).value || 0), 0)]);
  }

  /* Draw the course and give what its tables say. columns: others' estimates chosen; reports: whether to show points. */
  function draw(container, { view, columns, reports, label }) {
    const { years } = numbers.about(), here = numbers.index(view.territory);
    const there = view.partner ? numbers.index(view.partner) : null;
    const estimate = here < 0 ? world(view) : own(view, here, there);
    const lines = [{ title: "humanflows, estimate", kind: "line", colour: "#c8553d", band: true, points: estimate }];
    for (const { key, title, span } of columns) {
      const points = years.map((year, t) => [year, here < 0 ? sumOf(key, view.direction, t) : numbers.other(key, view.direction, here, there, t)]);
      lines.push({ title, kind: span > 1 ? "steps" : "line", ...styleOf(key), points });
    }
    const told = [];
    if (there !== null) {
      const [o, d] = numbers.ends(view.direction, here, there), seen = new Set();
      const witnesses = reports ? numbers.reports(o, d, false) : [];
      const { colours = {}, sides = {} } = HF.data.get("witnesses")?.about || {};
      for (const witness of witnesses) {
        const hollow = witness.criterion !== "residence", kind = `${witness.source} ${witness.side} ${hollow}`;
        const title = seen.has(kind) ? "" : `${witness.title}, ${sides[witness.side] || witness.side}${hollow ? ", not by residence" : ""}`;
        seen.add(kind);
        lines.push({ title, kind: "points", colour: colours[witness.source] || "#1d2733", mark: MARKS[witness.side] || "square", hollow,
          points: witness.points });
        for (const [year, value] of witness.points) told.push([String(year), witness.title, witness.reporter, sides[witness.side] || witness.side, witness.criterion, value]);
      }
    }
    HF.draw.chart(container, { years: [years[0], years.at(-1)], series: lines, current: view.year, log: view.scale === "log", label });
    const bounded = estimate.some((p) => p.length > 2 && p[2] !== null);
    const heads = ["Year", "Estimate", ...(bounded ? ["Lower end", "Upper end"] : []), ...columns.map((c) => c.title)];
    const rows = estimate.map((p, t) => [String(p[0]), HF.names.persons(p[1]), ...(bounded ? [HF.names.persons(p[2]), HF.names.persons(p[3])] : []),
      ...columns.map(({ key }, k) => HF.names.numberOrLimit(lines[1 + k].points[t][1], here < 0 ? null : numbers.limit(key, view.direction, here, there, t)))]);
    told.sort((a, b) => a[0].localeCompare(b[0]) || a[1].localeCompare(b[1]));
    return { heads, rows, told };
  }

  function sumOf(key, side, t) {
    let sum = null;
    numbers.about().codes.forEach((_, k) => {
      const value = numbers.other(key, side, k, null, t);
      if (value !== null) sum = (sum || 0) + value;
    });
    return sum;
  }

  return { draw, styleOf };
})();
