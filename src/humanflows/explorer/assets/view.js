/* What is chosen. It lives in the address after "#", so that a link restores it. */
"use strict";
HF.view = (() => {
  const listeners = [];
  const DIRECTIONS = ["in", "out"], BORN = ["all", "origin", "destination", "elsewhere"], SCALES = ["linear", "log"];
  const WORLD = "world";
  let state = null, places = null, defaults = null, problems = [];

  /* The territories, years and others' estimates that there are to choose from. */
  function begin({ codes, years, comparisons, events, first }) {
    places = { codes: new Set(codes), years, comparisons: new Set(comparisons), events: new Set(events) };
    defaults = { territory: first, year: years[years.length - 1], direction: "in", birthplace: "all", partner: "",
      compare: [], scale: "linear", event: "" };
    state = read(location.hash);
    window.addEventListener("hashchange", () => { state = read(location.hash); tell(); });
    write(false);
  }

  /* The view that an address names; what it names and is not here is told and left out. */
  function read(hash) {
    const asked = new URLSearchParams(hash.replace(/^#/, "")), out = { ...defaults, compare: [] };
    problems = [];
    const take = (key, good, value = asked.get(key)) => {
      if (!asked.has(key) || asked.get(key) === "") return;
      if (good(value)) out[key] = value;
      else problems.push(`${key} “${asked.get(key)}”`);
    };
    take("territory", (v) => v === WORLD || places.codes.has(v));
    take("year", (v) => places.years.includes(v), Number(asked.get("year")));
    take("direction", (v) => DIRECTIONS.includes(v));
    take("birthplace", (v) => BORN.includes(v));
    take("partner", (v) => places.codes.has(v));
    take("scale", (v) => SCALES.includes(v));
    take("event", (v) => places.events.has(v));
    for (const key of (asked.get("compare") || "").split(",").filter(Boolean)) {
      if (!places.comparisons.has(key)) problems.push(`comparison “${key}”`);
      else if (!out.compare.includes(key)) out.compare.push(key);
    }
    return settle(out);
  }

  function settle(next) {
    if (next.territory === WORLD || next.partner === next.territory) next.partner = "";
    return next;
  }

  function address() {
    const out = new URLSearchParams();
    for (const [key, value] of Object.entries(state)) {
      const text = Array.isArray(value) ? value.join(",") : String(value);
      if (text && (key === "territory" || key === "year" || text !== String(defaults[key]))) out.set(key, text);
    }
    return "#" + out.toString().replaceAll("%2C", ",");
  }

  function write(push) {
    if (address() === location.hash) return;
    history[push ? "pushState" : "replaceState"](null, "", address());
  }

  function tell() {
    for (const listener of listeners) listener(state);
  }

  /* Change the view. Years come and go without a step back in the browser; other choices leave one. */
  function set(changes) {
    state = settle({ ...state, ...changes });
    problems = [];
    write(Object.keys(changes).some((k) => k !== "year"));
    tell();
  }

  return { begin, set, WORLD, BORN, address, get: () => state, problems: () => problems,
    listen: (listener) => listeners.push(listener) };
})();
