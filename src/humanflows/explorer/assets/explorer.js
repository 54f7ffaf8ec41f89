/* The page: controls, what they choose, and drawing it anew. */
"use strict";
(() => {
  const { element, persons, interval } = HF.names;
  const { view, numbers, data } = HF;
  const $ = (id) => document.getElementById(id);
  const LATER = ["ends", "grades", "stocks", "birthplace", "events"];
  const BORN = { all: "", origin: "born where they left", destination: "born where they arrive", elsewhere: "born elsewhere" };
  let map = null, about = null, drawn = 0;

  const nameOf = (code) => (code === view.WORLD ? "the world" : about.names[numbers.index(code)]);

  /* Others count everybody, wherever born: nothing of theirs stands beside one birthplace. */
  const ofAll = (state) => state.birthplace === "all";

  /* Others' estimates that are chosen and there: key, title, years that one number spans. */
  function columns(state) {
    if (!ofAll(state)) return [];
    return state.compare.filter((key) => key !== "witnesses").map((key) => ({ key, title: titleOf(key),
      span: data.get(key)?.about.span || 1 })).filter(({ key }) => data.get(key === "meta" ? "witnesses" : key));
  }

  const titleOf = (key) => (key === "meta" ? "Meta, users who moved" : data.contents.titles[key] || key);

  /* What can be compared here, and why the rest cannot. */
  function comparisons() {
    const { groups, missing, platform } = data.contents, keys = [];
    const list = $("compare-list"), why = $("compare-missing");
    const box = (key, label) => {
      keys.push(key);
      return element("label", { class: "choice" }, element("input", { type: "checkbox", name: "compare", value: key,
        onchange: (event) => toggle([key], event.target.checked ? key : null) }), label);
    };
    const absent = (title, reason) => why.append(element("li", {}, element("strong", {}, title), `: ${reason}.`));
    if (data.has("witnesses")) list.append(box("witnesses", "Reports of offices (points)"));
    else absent("Reports of offices", missing.witnesses);
    if (data.has("witnesses") && platform) list.append(box("meta", "Meta"));
    else absent("Meta", missing.witnesses || "the sources at hand hold no counts of its users");
    if (groups.reference?.length) list.append(box("reference", titleOf("reference")));
    else absent("The reference, Gaskin & Abel", missing.reference);
    if (groups.abel_cohen?.length) {
      const methods = element("select", { id: "method", "aria-label": "Method of Abel & Cohen", onchange: (event) => toggle(groups.abel_cohen, event.target.value) },
        element("option", { value: "" }, "Abel & Cohen: none"), groups.abel_cohen.map((key) => element("option", { value: key }, titleOf(key))));
      keys.push(...groups.abel_cohen);
      list.append(methods);
    } else absent("Abel & Cohen", missing.abel_cohen);
    $("compare-why").hidden = !why.children.length;
    return keys;
  }

  /* Put one key, or none, in the place of some. */
  function toggle(some, key) {
    view.set({ compare: [...view.get().compare.filter((k) => !some.includes(k)), ...(key ? [key] : [])] });
  }

  function controls() {
    const sorted = about.codes.map((code, k) => [about.names[k], code]).sort((a, b) => a[0].localeCompare(b[0], "en"));
    const options = () => sorted.map(([text, code]) => element("option", { value: code }, text));
    $("territory").append(element("option", { value: view.WORLD }, "The world"), ...options());
    $("partner").append(element("option", { value: "" }, "All partners"), ...options());
    Object.assign($("year"), { min: about.years[0], max: about.years.at(-1) });
    const on = (id, key, read = (node) => node.value) => $(id).addEventListener("change", (event) => view.set({ [key]: read(event.target) }));
    on("territory", "territory");
    on("partner", "partner");
    on("birthplace", "birthplace");
    on("scale", "scale");
    $("year").addEventListener("input", () => view.set({ year: Number($("year").value) }));
    for (const [id, by] of [["year-back", -1], ["year-on", 1]]) {
      $(id).addEventListener("click", () => view.set({ year: Math.min(Math.max(view.get().year + by, about.years[0]), about.years.at(-1)) }));
    }
    for (const radio of document.getElementsByName("direction")) radio.addEventListener("change", () => view.set({ direction: radio.value }));
    $("swap").addEventListener("click", () => {
      const { territory, partner } = view.get();
      if (partner) view.set({ territory: partner, partner: territory });
    });
    $("copy").addEventListener("click", copy);
    $("choices").addEventListener("submit", (event) => event.preventDefault());
    $("skip").addEventListener("click", (event) => { event.preventDefault(); $("results").focus(); });
    $("birthplace-field").hidden = !data.has("birthplace");
    say("birthplace-missing", data.contents.missing.birthplace);
    say("events-missing", data.contents.missing.events);
    $("event-panel").hidden = !data.has("events");
    say("intervals-missing", data.contents.missing.intervals && `No intervals: ${data.contents.missing.intervals}`);
    $("simulated").hidden = about.profile === "world";
  }

  function say(id, text) {
    $(id).textContent = text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
    $(id).hidden = !text;
  }

  async function copy() {
    $("link").select();
    try {
      await navigator.clipboard.writeText($("link").value);
      $("copied").textContent = "Copied.";
    } catch {                       // a page opened from a folder may not write to the clipboard
      $("copied").textContent = "Selected: copy it with your keyboard.";
    }
  }

  function show(state) {
    $("territory").value = state.territory;
    $("partner").value = state.partner;
    $("partner").disabled = state.territory === view.WORLD;
    $("swap").disabled = !state.partner;
    $("year").value = state.year;
    $("year-shown").textContent = state.year;
    $("birthplace").value = state.birthplace;
    $("scale").value = state.scale;
    for (const radio of document.getElementsByName("direction")) radio.checked = radio.value === state.direction;
    for (const box of document.getElementsByName("compare")) {
      box.checked = state.compare.includes(box.value);
      box.disabled = !ofAll(state);
    }
    if ($("method")) $("method").disabled = !ofAll(state);
    $("compare-born").hidden = ofAll(state) || !$("compare-list").children.length;
    for (const id of ["people-born", "events-born"]) $(id).hidden = ofAll(state);
    if ($("method")) $("method").value = (data.contents.groups.abel_cohen || []).find((k) => state.compare.includes(k)) || "";
    $("link").value = location.href;
    $("copied").textContent = "";
    const wrong = view.problems();
    say("problems", wrong.length ? `this page does not know the ${wrong.join(", ")} of the link; it shows what it has instead` : "");
  }

  /* Which moves are shown, in words. */
  function what(state) {
    const born = state.birthplace === "all" ? "" : `, people ${BORN[state.birthplace]}`;
    if (state.territory === view.WORLD) return `All ${state.direction === "in" ? "arrivals" : "departures"}${born}`;
    const here = nameOf(state.territory);
    if (!state.partner) return `${state.direction === "in" ? `Arrivals in ${here}` : `Departures from ${here}`}${born}`;
    const there = nameOf(state.partner);
    return `${state.direction === "in" ? `${there} to ${here}` : `${here} to ${there}`}${born}`;
  }

  function sentence(state, k) {
    const here = numbers.index(state.territory), t = state.year - about.years[0];
    const born = ofAll(state) ? "" : `, people ${BORN[state.birthplace]}`;
    if (here < 0 || k === here) {
      const { value, lower, upper } = numbers.total(state.direction, k, t, state.birthplace);
      return `${about.names[k]}${born}, ${state.year}: ${persons(value)} ${state.direction === "in" ? "arrivals" : "departures"}${lower === null ? "" : ` (${interval(lower, upper)})`}.`;
    }
    const [o, d] = numbers.ends(state.direction, here, k), value = numbers.flow(o, d, t, state.birthplace);
    const judged = numbers.judged(o, d, t, state.birthplace);
    return `${about.names[o]} to ${about.names[d]}${born}, ${state.year}: ${persons(value)}`
      + `${judged.lower === null ? "" : ` (${interval(judged.lower, judged.upper)})`}${judged.grade ? `, grade ${judged.grade}: ${basis(judged.basis)}` : ""}.`;
  }

  const basis = (key) => data.get("grades")?.about.meanings[key] || "";

  function draw(state) {
    const here = numbers.index(state.territory), partner = state.partner ? numbers.index(state.partner) : -1, t = state.year - about.years[0];
    const partners = numbers.partners(state), others = columns(state), title = what(state);
    const wide = what({ ...state, partner: "" });
    const values = new Array(about.codes.length).fill(0);
    for (const p of partners) values[p.k] = p.value;
    const arcs = here < 0 ? numbers.largest(t, state.birthplace, 40) : partners.slice(0, 25);
    const first = partners[0], all = here < 0 ? null : numbers.total(state.direction, here, t, state.birthplace);

    document.title = `${title}, ${state.year} · humanflows explorer`;
    $("title").textContent = `${title}, ${state.year}`;
    const sum = all ? `${wide}, ${state.year}: ${persons(all.value)} persons${all.lower === null ? "" : ` (${interval(all.lower, all.upper)})`}.`
      : `${wide}, ${state.year}: ${persons(about.codes.reduce((s, _, k) => s + (numbers.total(state.direction, k, t, state.birthplace).value || 0), 0))} persons.`;
    const most = first ? ` Most: ${about.names[first.k]}, ${persons(first.value)}.` : "";
    $("summary").textContent = partner >= 0 ? `${sentence(state, partner)} ${sum}` : sum + most;

    map.paint({ values, arcs, chosen: here, partner, follow: partners.map((p) => p.k),
      text: `Map: ${wide}, ${state.year}. Arrow keys go through ${here < 0 ? "territories" : "partners"} from the largest, Enter chooses one, plus and minus change the size.` });
    HF.draw.tableBehind($("map-table"), () => [`${wide}, ${state.year}, every ${here < 0 ? "territory" : "partner"} with anybody`,
      [here < 0 ? "Territory" : "Partner", "Persons", "Region"], partners.map((p) => [about.names[p.k], persons(p.value), about.regions[p.k]])]);

    HF.ranking.draw($("ranking"), { view: state, partners, columns: others, choose, basis });
    const asked = state.compare.includes("witnesses"), reports = asked && ofAll(state);
    const told = HF.series.draw($("series"), { view: state, columns: others, reports,
      label: `${title}, ${about.years[0]} to ${about.years.at(-1)}` });
    $("series-title").textContent = `${title}, over the years`;
    HF.draw.tableBehind($("series-table"), () => [`${title}, persons a year`, told.heads, told.rows]);
    $("reports-table").hidden = !told.told.length;
    HF.draw.tableBehind($("reports-table"), () => [`${title}: what offices report`, ["Year", "Collection", "Reporter", "Counted", "By", "Persons"], told.told]);
    say("series-note", state.compare.length && !ofAll(state) ? "reports and others' estimates are of people wherever they were born, and not shown beside one birthplace"
      : reports && partner < 0 ? "reports speak about single corridors: choose a partner to see their points"
        : reports && !told.told.length ? "no office reports this corridor" : "");
    $("span-note").hidden = !others.some((c) => c.span > 1);
    $("meta-note").hidden = !others.some((c) => c.key === "meta");

    $("born-panel").hidden = !data.get("birthplace");        // before it is drawn: a picture takes the width that there is
    const split = HF.people.born($("born"), state, `${what({ ...state, birthplace: "all" })} by birthplace, persons a year`);
    $("born-steps").textContent = `${(data.get("birthplace")?.about.edge || 0) / 10}%`;
    if (split) HF.draw.tableBehind($("born-table"), () => split);
    $("people-panel").hidden = here < 0;
    if (here >= 0) {
      const net = HF.people.net($("net"), state, `Net migration of ${nameOf(state.territory)}, persons a year`);
      HF.draw.tableBehind($("net-table"), () => net);
      const stocks = HF.people.stocks($("stocks"), state, `Stocks of ${nameOf(state.territory)}, persons on 1 January`);
      if (stocks) {
        HF.draw.tableBehind($("stocks-table"), () => stocks);
        HF.draw.tableBehind($("immigrants-table"), () => HF.people.groups(state, true));
        HF.draw.tableBehind($("emigrants-table"), () => HF.people.groups(state, false));
      }
    }
    HF.events.show(state.event);
  }

  /* A click on the map or in the ranking. */
  function choose(k) {
    const state = view.get(), code = about.codes[k];
    if (state.territory === view.WORLD) view.set({ territory: code, partner: "" });
    else if (code !== state.territory) view.set({ partner: state.partner === code ? "" : code });
  }

  /* Show the view with what is there, load what it still needs, and show it again. */
  async function update(state) {
    const turn = ++drawn, root = document.documentElement;
    show(state);
    draw(state);
    const needed = [...LATER, ...state.compare.map((k) => (k === "meta" ? "witnesses" : k))].filter((k) => data.has(k) && !data.get(k));
    root.dataset.state = needed.length ? "loading" : "ready";
    if (!needed.length) return;
    await Promise.all(needed.map((name) => data.load(name)));
    if (!$("event").children.length) HF.events.fill();
    if ($("grades-panel").hidden) rule();
    if (turn !== drawn) return;         // something else was chosen meanwhile; its own turn draws it
    draw(state);
    root.dataset.state = "ready";
  }

  function rule() {
    if (!data.get("grades")) return;
    const { rule: text, meanings } = data.get("grades").about;
    $("rule").replaceChildren(...text.split("\n").filter(Boolean).map((line) => element("p", {}, line.replaceAll("`", "").replace(/^- /, "• "))),
      element("p", {}, `What an estimate stands on: ${Object.entries(meanings).map(([k, v]) => `${k}: ${v}`).join("; ")}.`));
    $("grades-panel").hidden = false;
  }

  function fail(error) {
    document.documentElement.dataset.state = "failed";
    say("problems", `the page cannot show its data: ${error.message}`);
  }

  async function begin() {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old to unpack them; use one of 2023 or later");
    about = await numbers.begin();
    const keys = comparisons();
    controls();
    map = HF.map.create($("map"), { outlines: about.outlines, label: "Map", choose, say: (k) => sentence(view.get(), k) });
    HF.events.begin((name) => view.set({ event: name }));
    const last = about.years.length - 1, most = about.codes.map((_, k) => numbers.total("in", k, last).value);
    view.begin({ codes: about.codes, years: about.years, comparisons: keys, events: data.contents.events || [],
      first: about.codes[most.indexOf(Math.max(...most))] });
    let asked = false;
    view.listen(() => {                 // a slider asks more often than a page can be drawn
      document.documentElement.dataset.state = "loading";
      if (!asked) requestAnimationFrame(() => { asked = false; update(view.get()).catch(fail); });
      asked = true;
    });
    let waiting = null;
    window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => draw(view.get()), 150); });
    await update(view.get());
  }

  begin().catch(fail);
})();
