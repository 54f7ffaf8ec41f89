/* Words and elements: how numbers and places are written, and a short way to make elements. */
"use strict";
window.HF = {};

HF.names = (() => {
  const DIGITS = 4;       // significant ones; the estimates have no more, and their uncertainty is far larger
  const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

  /* A number of persons as readers see it; null is what nobody says. */
  function persons(value, { sign = false } = {}) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const text = whole.format(Math.round(Number(Math.abs(value).toPrecision(DIGITS))));
    if (Math.round(value) < 0) return "−" + text;
    return (sign && value > 0 ? "+" : "") + text;
  }

  /* A number, or what stands for one that its publisher leaves out as too small. */
  const numberOrLimit = (value, limit) => (value === null && limit ? `below ${persons(limit)}` : persons(value));

  /* Short, for axes: 250, 10 k, 1.5 M. */
  function short(value) {
    const size = Math.abs(value);
    const text = size >= 1e6 ? `${+(size / 1e6).toPrecision(3)} M` : size >= 1e3 ? `${+(size / 1e3).toPrecision(3)} k`
      : `${+size.toPrecision(3)}`;
    return value < 0 ? "−" + text : text;
  }

  const interval = (lower, upper) =>
    lower === null || lower === undefined || upper === null || upper === undefined ? ""
      : `${persons(lower)} to ${persons(upper)}`;

  /* An element with attributes, listeners (on…) and children; text is text, never markup. */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.flat().filter((c) => c !== null && c !== undefined));
    return made;
  }

  return { persons, numberOrLimit, short, interval, element };
})();
