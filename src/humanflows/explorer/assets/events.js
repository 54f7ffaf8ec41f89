/* Named events, year by year: a small map, the estimate's course and what stands beside it. */
"use strict";
HF.events = (() => {
  const { element, persons } = HF.names;
  const PAUSE = 1100;         // milliseconds a year is shown
  const COLOURS = ["#1d2733", "#3b5b92", "#2f9e77", "#8a7a5c", "#7fb2e5", "#5c3d73"];
  const MARKS = { reported: "circle", displaced: "diamond", stock: "square" };
  let map = null, timer = null, shown = null, year = null, nodes = null;

  const part = () => HF.data.get("events");
  const still = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  function begin(choose) {
    nodes = Object.fromEntries(["event", "event-step", "event-play", "event-map", "event-chart", "event-words", "event-chart-table", "event-map-table"].map((id) => [id, document.getElementById(id)]));
    nodes.event.addEventListener("change", () => choose(nodes.event.value));
    document.getElementById("event-back").addEventListener("click", () => { stop(); go(-1); });
    document.getElementById("event-on").addEventListener("click", () => { stop(); go(1); });
    nodes["event-play"].addEventListener("click", () => (timer ? stop() : play()));
    window.matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", () => { stop(); settle(); });
    settle();
  }

  /* Readers who asked for less motion step by themselves. */
  function settle() {
    nodes["event-play"].hidden = still();
  }

  function play() {
    if (still() || !shown) return;
    if (year >= shown.years.at(-1)) year = shown.years[0] - 1;
    go(1);
    timer = setInterval(() => { go(1); if (year >= shown.years.at(-1)) stop(); }, PAUSE);
    nodes["event-play"].textContent = "Pause";
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    nodes["event-play"].textContent = "Play";
  }

  function go(by) {
    if (!shown) return;
    year = Math.min(Math.max(year + by, shown.years[0]), shown.years.at(-1));
    paint();
  }

  /* Show an event by its name. */
  function show(name) {
    if (!part()) return;
    const event = part().about.events.find((e) => e.name === name) || part().about.events[0];
    nodes.event.value = event.name;
    if (shown?.name === event.name) { drawChart(); return; }
    stop();
    shown = event;
    year = event.years[0];
    map ||= HF.map.create(nodes["event-map"], { outlines: HF.numbers.about().outlines, label: "Map of the event" });
    paint();
  }

  function paint() {
    const { codes, years } = HF.numbers.about(), t = year - years[0], from = new Set(shown.origins.map(HF.numbers.index)), to = new Set(shown.destinations.map(HF.numbers.index));
    const among = (o, d) => (!from.size || from.has(o)) && (!to.size || to.has(d));
    const moves = HF.numbers.largest(t, "all", codes.length * codes.length, among), values = new Array(codes.length).fill(0);
    for (const { d, value } of moves) values[d] += value;
    const text = `${shown.title}, ${year}: ${persons(shown.estimate[shown.years.indexOf(year)])} persons estimated`;
    map.paint({ values, arcs: moves.slice(0, 25), chosen: from.size === 1 ? [...from][0] : -1, text });
    const arrived = values.map((value, k) => [k, value]).filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1]);
    HF.draw.tableBehind(nodes["event-map-table"], () => [`${shown.title}, ${year}: arrivals by destination`, ["Destination", "Persons"],
      arrived.map(([k, value]) => [HF.numbers.about().names[k], persons(value)])]);
    nodes["event-step"].textContent = String(year);
    const [first, last] = shown.during;
    const when = year < first ? "before" : year > last ? "after" : "during the event";
    const others = shown.beside.map((b) => [b.title, b.points.find((p) => p[0] === year)]).filter(([, p]) => p);
    nodes["event-words"].textContent = `${text} (${when}).` + others.map(([title, p]) => ` ${title[0].toUpperCase()}${title.slice(1)}: ${persons(p[1])}.`).join("");
    drawChart();
  }

  function drawChart() {
    const lines = [{ title: "humanflows, estimate", kind: "line", colour: "#c8553d", points: shown.years.map((y, k) => [y, shown.estimate[k]]) },
      ...shown.beside.map((b, k) => ({ title: b.title, kind: "points", colour: COLOURS[k % COLOURS.length], mark: MARKS[b.kind] || "circle", hollow: b.kind !== "reported",
        points: b.points.map((p) => [p[0], p[1]]) }))];
    HF.draw.chart(nodes["event-chart"], { years: [shown.years[0], shown.years.at(-1)], series: lines, current: year, shade: shown.during,
      label: `${shown.title}: estimate and what stands beside it, ${shown.years[0]} to ${shown.years.at(-1)}` });
    HF.draw.tableBehind(nodes["event-chart-table"], () => [`${shown.title}, persons`, ["Year", "Estimate", ...shown.beside.map((b) => b.title)],
      shown.years.map((y, k) => [String(y), persons(shown.estimate[k]), ...shown.beside.map((b) => persons(b.points.find((p) => p[0] === y)?.[1]))])]);
  }

  function fill() {
    if (!part()) return;
    nodes.event.replaceChildren(...part().about.events.map((e) => element("option", { value: e.name }, e.title)));
  }

  return { begin, show, fill };
})();
