/* Arcs between places of the map, the short way round: one that crosses the antimeridian has two pieces. */
"use strict";
HF.arcs = (() => {
  const POINTS = 48;

  /* Half the width of the globe at a height of the map, from the table of its edge. */
  function half(edge, y) {
    let k = 1;
    while (k < edge.length - 1 && edge[k][0] < y) k++;
    const [[y1, w1], [y2, w2]] = [edge[k - 1], edge[k]], part = Math.min(Math.max((y - y1) / (y2 - y1), 0), 1);
    return w1 + part * (w2 - w1);
  }

  /* Points [turn, y] of a quadratic curve; a turn is a longitude in half circles, -1 to 1 but unwrapped, for on this map
     x is linear in longitude. A short curve is bent to the left of its direction, so that the two directions of a
     corridor lie side by side; the longer, the more it is lifted towards the nearer pole, as a great circle is. */
  function curve([x1, y1], [x2, y2], { width, height, edge }) {
    const middle = width / 2, wide = Math.max(...edge.map((e) => e[1])), equator = edge.find((e) => e[1] === wide)[0];
    const from = (x1 - middle) / half(edge, y1), to = (x2 - middle) / half(edge, y2);
    let by = to - from;
    if (by > 1) by -= 2; else if (by < -1) by += 2;
    const a = [from * wide, y1], b = [(from + by) * wide, y2], far = Math.min(Math.max((Math.abs(by) * 180 - 15) / 45, 0), 1);
    const bend = 0.2 - 0.15 * far, lift = 0.25 * far * Math.abs(b[0] - a[0]), up = (y1 + y2) / 2 <= equator ? -1 : 1;
    const control = [(a[0] + b[0]) / 2 + (b[1] - a[1]) * bend, (y1 + y2) / 2 - (b[0] - a[0]) * bend + up * lift];
    control[1] = Math.min(Math.max(control[1], -0.3 * height), 1.1 * height);     // else the longest would leave the globe
    return Array.from({ length: POINTS }, (_, k) => {
      const t = k / (POINTS - 1), [p, q, r] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2];
      return [(p * a[0] + q * control[0] + r * b[0]) / wide, p * y1 + q * control[1] + r * y2];
    });
  }

  /* The path of an arc from one place of the map to another. */
  function path(from, to, outlines) {
    const { width, edge } = outlines, points = curve(from, to, outlines), pieces = [[]];
    const put = (turn, y) => pieces.at(-1).push(`${(width / 2 + turn * half(edge, y)).toFixed(1)},${y.toFixed(1)}`);
    let shift = 0;
    points.forEach(([turn, y], k) => {
      const side = Math.sign(turn + shift);
      if (Math.abs(turn + shift) > 1) {
        const [before, above] = points[k - 1], part = (side - shift - before) / (turn - before), at = above + part * (y - above);
        put(side, at);
        pieces.push([]);
        put(-side, at);
        shift -= 2 * side;
      }
      put(turn + shift, y);
    });
    return pieces.map((piece) => `M${piece.join("L")}`).join("");
  }

  return { path };
})();
