/* Answers from the parts: flows, intervals, grades, totals, what others say. Places are positions, years too. */
"use strict";
HF.numbers = (() => {
  const { persons, number, get } = HF.data;
  let about = null, n = 0, length = 0;
  const rowsOf = new WeakMap();

  async function begin() {
    const [territories] = await Promise.all([HF.data.load("territories"), HF.data.load("flows")]);
    about = territories.about;
    n = about.codes.length;
    length = about.years.length;
    return about;
  }

  /* Row of each corridor in a part, -1 for one that it leaves out. */
  function rows(part) {
    if (!rowsOf.has(part)) {
      const table = new Int32Array(n * n).fill(-1);
      part.pairs.forEach((pair, row) => { table[pair] = row; });
      rowsOf.set(part, table);
    }
    return rowsOf.get(part);
  }

  const index = (code) => about.codes.indexOf(code);
  const ends = (side, here, there) => (side === "in" ? [there, here] : [here, there]);

  /* Share of a flow with a birthplace; 1 for all, null while the part is not there. */
  function share(row, t, born) {
    if (born === "all") return 1;
    const part = get("birthplace");
    if (!part) return null;
    const [own, back] = [part.origin, part.destination].map((codes) => HF.data.share(codes[row * length + t], part.about.edge));
    return born === "origin" ? own : born === "destination" ? back : Math.max(1 - own - back, 0);
  }

  /* Persons from o to d; 0 where the release has nobody. */
  function flow(o, d, t, born = "all") {
    const part = get("flows"), row = rows(part)[o * n + d];
    if (row < 0) return 0;
    const all = persons(part.flow[row * length + t], part.about.digits);
    return all && born !== "all" ? all * (share(row, t, born) ?? NaN) : all;
  }

  /* Interval, grade and basis of a flow, as far as the page has them; they are those of all, not of one birthplace. */
  function judged(o, d, t, born = "all") {
    const row = rows(get("flows"))[o * n + d], at = row * length + t, bounds = get("ends"), grades = get("grades");
    const out = { lower: null, upper: null, grade: "", basis: "" };
    if (born !== "all") return out;
    if (row < 0) return out;
    if (bounds) {
      out.lower = persons(bounds.lower[at], bounds.about.digits);
      out.upper = persons(bounds.upper[at], bounds.about.digits);
    }
    if (grades) {
      const count = grades.about.grades.length, code = grades.judged[at];
      out.grade = grades.about.grades[code % count];
      out.basis = grades.about.basis[Math.floor(code / count)];
    }
    return out;
  }

  /* Arrivals or departures of a territory in a year with their interval, of all corridors. */
  function total(side, k, t, born = "all") {
    const territories = get("territories"), at = k * length + t, all = territories[side][at];
    if (born === "all") {
      return { value: all, lower: number((territories[`${side}_lower`] || [])[at]),
        upper: number((territories[`${side}_upper`] || [])[at]) };
    }
    const part = get("birthplace");
    if (!part) return { value: null, lower: null, upper: null };
    const own = part[`${side}_origin`][at], back = part[`${side}_destination`][at];
    const value = born === "origin" ? own : born === "destination" ? back : Math.max(all - own - back, 0);
    return { value, lower: null, upper: null };
  }

  /* Partners of a territory, or all territories of the world, largest first. */
  function partners(view) {
    const t = view.year - about.years[0], found = [];
    const here = index(view.territory);
    for (let k = 0; k < n; k++) {
      if (here < 0) {
        const { value, lower, upper } = total(view.direction, k, t, view.birthplace);
        if (value >= about.least) found.push({ k, value, lower, upper, grade: "", basis: "" });
      } else if (k !== here) {
        const [o, d] = ends(view.direction, here, k), value = flow(o, d, t, view.birthplace);
        if (value >= about.least) found.push({ k, o, d, value, ...judged(o, d, t, view.birthplace) });
      }
    }
    return found.sort((a, b) => b.value - a.value || a.k - b.k);
  }

  /* The largest corridors of a year, everywhere. */
  function largest(t, born, number_, among = null) {
    const part = get("flows"), found = [];
    part.pairs.forEach((pair) => {
      const o = Math.floor(pair / n), d = pair % n;
      if (among && !among(o, d)) return;
      const value = flow(o, d, t, born);
      if (value >= about.least) found.push({ o, d, value });
    });
    return found.sort((a, b) => b.value - a.value).slice(0, number_);
  }

  /* What witnesses report of a corridor: one entry each with its points. */
  let starts = null;
  function reports(o, d, platforms) {
    const part = get("witnesses");
    if (!part) return [];
    starts ||= seriesStarts(part);
    const pair = o * n + d, out = [];
    for (let s = lowerBound(part.pairs, pair); s < part.pairs.length && part.pairs[s] === pair; s++) {
      const who = part.about.witnesses[part.who[s]];
      if (part.about.platforms.includes(who.source) !== platforms) continue;
      const points = [];
      for (let k = starts[s]; k < starts[s] + part.count[s]; k++) {
        points.push([about.years[0] + part.at[k], persons(part.persons[k], part.about.digits)]);
      }
      out.push({ ...who, title: part.about.titles[who.source], points });
    }
    return out;
  }

  function seriesStarts(part) {
    const out = new Int32Array(part.count.length);
    for (let s = 1; s < out.length; s++) out[s] = out[s - 1] + part.count[s - 1];
    return out;
  }

  function lowerBound(sorted, wanted) {
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < wanted) low = middle + 1; else high = middle;
    }
    return low;
  }

  /* Users of a platform as yearly flows: the same shape as other estimates. */
  let platform = null;
  function platformFlows() {
    const part = get("witnesses");
    if (!part) return null;
    if (!platform) {
      starts ||= seriesStarts(part);
      const table = new Map(), sums = { in: new Map(), out: new Map() }, spokenOf = new Set();
      part.pairs.forEach((pair, s) => {
        if (!part.about.platforms.includes(part.about.witnesses[part.who[s]].source)) return;
        const course = table.get(pair) || new Map();
        for (let k = starts[s]; k < starts[s] + part.count[s]; k++) {
          const value = persons(part.persons[k], part.about.digits), t = part.at[k];
          course.set(t, (course.get(t) || 0) + value);
          for (const [side, place] of [["in", pair % n], ["out", Math.floor(pair / n)]]) {
            spokenOf.add(place * length + t);
            sums[side].set(place * length + t, (sums[side].get(place * length + t) || 0) + value);
          }
        }
        table.set(pair, course);
      });
      platform = { table, sums, spokenOf };
    }
    return platform;
  }

  /* Somebody else's yearly number of a corridor, or of a territory where the partner is null; null for none. */
  function other(key, side, here, there, t) {
    if (key === "meta") {
      const found = platformFlows();
      if (!found) return null;
      if (there === null) return found.sums[side].get(here * length + t) ?? null;
      const [o, d] = ends(side, here, there);
      return found.table.get(o * n + d)?.get(t) ?? null;
    }
    const part = get(key);
    if (!part) return null;
    const { years, span, digits } = part.about, year = about.years[0] + t;
    const at = years.findIndex((y) => y <= year && year < y + span);
    if (at < 0) return null;
    const covered = (k) => number(part.in[k * years.length + at]) !== null;
    if (there === null) {
      const value = number(part[side][here * years.length + at]);
      return value === null ? null : value / span;
    }
    if (!covered(here) || !covered(there)) return null;
    const [o, d] = ends(side, here, there), row = rows(part)[o * n + d];
    return row < 0 ? 0 : persons(part.flow[row * years.length + at], digits) / span;
  }

  /* Persons below which somebody else leaves a corridor out that has no number; null where it has one or is not theirs:
     a platform speaks of the territories that any of its corridors has in that year. */
  function limit(key, side, here, there, t) {
    if (key !== "meta" || there === null || other(key, side, here, there, t) !== null) return null;
    const found = platformFlows();
    if (!found || !found.spokenOf.has(here * length + t) || !found.spokenOf.has(there * length + t)) return null;
    return get("witnesses").about.censored_below[key] ?? null;
  }

  /* People born in b who live in r at the nearest stored date. */
  function stock(b, r, at) {
    const part = get("stocks"), row = rows(part)[b * n + r], count = part.about.dates.length;
    if (row < 0) return { value: 0, lower: null, upper: null };
    const k = row * count + at, out = { value: persons(part.stock[k], part.about.digits), lower: null, upper: null };
    if (part.about.intervals && part.about.interval_dates.includes(part.about.dates[at]) && out.value) {
      out.lower = persons(part.lower[k], part.about.end_digits);
      out.upper = persons(part.upper[k], part.about.end_digits);
    }
    return out;
  }

  return { begin, index, flow, judged, total, partners, largest, reports, other, limit, stock, ends,
    about: () => about };
})();
