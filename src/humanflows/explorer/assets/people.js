/* People beside flows: where those who move were born, net migration, and stocks. */
"use strict";
HF.people = (() => {
  const { numbers } = HF;
  const { persons } = HF.names;
  const BORN = [["origin", "born where they left", "#3b5b92"], ["destination", "born where they arrive", "#ecc06a"], ["elsewhere", "born elsewhere", "#80755b"]];

  /* The split of a territory's flow, or of a corridor's, by birthplace: null while the part is not there. */
  function born(container, view, label) {
    if (!HF.data.get("birthplace")) return null;
    const { years, codes } = numbers.about(), here = numbers.index(view.territory), there = view.partner ? numbers.index(view.partner) : null;
    const of = (key, t) => {
      if (there !== null) return numbers.flow(...numbers.ends(view.direction, here, there), t, key);
      if (here >= 0) return numbers.total(view.direction, here, t, key).value;
      return codes.reduce((sum, _, k) => sum + numbers.total("in", k, t, key).value, 0);
    };
    const parts = BORN.map(([key, title, fill]) => ({ title, fill, values: years.map((_, t) => of(key, t)) }));
    HF.draw.bars(container, { years, parts, current: view.year, label });
    return [label, ["Year", ...BORN.map((b) => b[1])], years.map((year, t) => [String(year), ...parts.map((p) => persons(p.values[t]))])];
  }

  /* Net migration of a territory. */
  function net(container, view, label) {
    const { years } = numbers.about(), here = numbers.index(view.territory), part = HF.data.get("territories");
    const at = (key, t) => HF.data.number((part[key] || [])[here * years.length + t]);
    const points = years.map((year, t) => [year, at("net_migration", t), at("net_migration_lower", t), at("net_migration_upper", t)]);
    const bounded = points.some((p) => p[2] !== null);
    HF.draw.chart(container, { years: [years[0], years.at(-1)], current: view.year, height: 220, label,
      series: [{ title: "arrivals less departures", kind: "line", colour: "#c8553d", points }] });
    const signed = (v) => (v === null ? "–" : persons(v, { sign: true }));
    return [label, ["Year", "Net migration", ...(bounded ? ["Lower end", "Upper end"] : [])],
      points.map((p) => [String(p[0]), signed(p[1]), ...(bounded ? [signed(p[2]), signed(p[3])] : [])])];
  }

  /* Foreign-born residents and natives abroad, 1 January. */
  function stocks(container, view, label) {
    const part = HF.data.get("stocks");
    if (!part) return null;
    const here = numbers.index(view.territory), dates = part.about.all_dates;
    const course = (key) => dates.map((year, t) => [year, part[key][here * dates.length + t]]);
    const inside = course("immigrants"), abroad = course("emigrants");
    HF.draw.chart(container, { years: [dates[0], dates.at(-1)], current: view.year, height: 220, label, series: [
      { title: "born abroad, living here", kind: "line", colour: "#2b6ca3", points: inside },
      { title: "born here, living abroad", kind: "line", colour: "#c8553d", dash: "7 4", points: abroad }] });
    return [label, ["1 January", "Born abroad, living here", "Born here, living abroad"],
      dates.map((year, t) => [String(year), persons(inside[t][1]), persons(abroad[t][1])])];
  }

  /* The largest groups of a stock at the stored date nearest to the year. */
  function groups(view, inside, limit = 12) {
    const part = HF.data.get("stocks"), { codes, names } = numbers.about(), here = numbers.index(view.territory);
    const { dates } = part.about, near = dates.reduce((best, date, k) => (Math.abs(date - view.year) < Math.abs(dates[best] - view.year) ? k : best), 0);
    const rows = codes.map((_, k) => ({ k, ...(inside ? numbers.stock(k, here, near) : numbers.stock(here, k, near)) }))
      .filter((r) => r.k !== here && r.value > 0).sort((a, b) => b.value - a.value).slice(0, limit);
    const bounded = rows.some((r) => r.lower !== null);
    return [`${inside ? "Where residents born abroad were born" : "Where people born here live"}, 1 January ${dates[near]}, largest groups`,
      [inside ? "Born in" : "Living in", "Persons", ...(bounded ? ["Interval"] : [])],
      rows.map((r) => [names[r.k], persons(r.value), ...(bounded ? [HF.names.interval(r.lower, r.upper)] : [])])];
  }

  return { born, net, stocks, groups };
})();
