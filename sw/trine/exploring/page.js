"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = data.rows, count = (rows.board || []).length;
  const at = id => document.getElementById(id);
  const every = [...Array(count).keys()];
  const names = data.boards.map(board => board.name).filter(name => every.some(n => rows.board[n] === name));
  const palette = ["#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#eeca3b", "#9d755d"];
  const marks = ["circle", "square", "diamond", "triangle-up"];
  const asked = {choice: "next token", values: "values", h: "state"};
  const number = value => value.toLocaleString("en-US", {maximumFractionDigits: 2});
  let chosen = null;

  // What can be drawn: a name, and a row's value, which may be missing.
  const measures = {
    tokens_per_s: ["tokens/s of the engine", n => rows.tokens_per_s[n]],
    cycles: ["cycles a token", n => rows.cycles_per_token[n]],
    lut4: ["LUT4 or logic cells", n => rows.lut4[n]],
    share: ["share of the chip's LUT4, %", n => 100 * rows.lut4_share[n]],
    block_ram: ["block RAMs", n => rows.block_ram[n]],
  };
  const links = new Set(every.flatMap(n => Object.keys(rows.host[n])));
  for (const link of links) {
    for (const want of Object.keys(asked)) {
      if (every.some(n => (rows.host[n][link] || {})[want])) {
        const value = n => ((rows.host[n][link] || {})[want] || {}).tokens_per_s;
        measures[`${link}_${want}`] = [`tokens/s of a host, ${asked[want]}, over ${link}`, value];
      }
    }
  }
  const smaller = new Set(["cycles", "lut4", "share", "block_ram"]);

  function options(select, keys, value) {
    for (const key of keys) select.add(new Option((measures[key] || [key])[0], key));
    select.value = value;
  }
  options(at("up"), Object.keys(measures), "tokens_per_s");
  options(at("across"), Object.keys(measures), "lut4");
  options(at("board"), names, names[0]);

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function layout(more) {
    const axis = {gridcolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true};
    const base = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: {color: colour("--ink"), size: 12},
      margin: {l: 60, r: 16, t: 14, b: 46}, hoverlabel: {align: "left", font: {family: "monospace", size: 12}},
    };
    const made = {...base, ...more};
    made.xaxis = {...axis, ...(more.xaxis || {})};
    made.yaxis = {...axis, ...(more.yaxis || {})};
    return made;
  }
  const settings = {displayModeBar: false, responsive: true};

  const escaped = text => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const wrapped = text => text.replace(/ --/g, "<br>    --");
  function hover(n) {
    const lines = [
      `<b>${escaped(rows.board[n])}</b>  ${rows.lanes_built[n]} lanes, ${rows.banks[n]} banks, ${rows.groups[n]} ${rows.groups[n] === 1 ? "group" : "groups"}`,
      `${number(rows.cycles_per_token[n])} cycles, ${number(rows.tokens_per_s[n])} tokens/s of the engine`,
      `${number(rows.lut4[n])} LUT4 (${number(100 * rows.lut4_share[n])} %), ${rows.block_ram[n]} block RAMs`,
    ];
    for (const [link, wants] of Object.entries(rows.host[n])) {
      for (const [want, rate] of Object.entries(wants)) {
        lines.push(`host, ${asked[want]}, ${link}: ${number(rate.tokens_per_s)} tokens/s (${rate.limit})`);
      }
    }
    lines.push(wrapped(escaped(rows.command[n])));
    return lines.join("<br>");
  }
  const hovers = every.map(hover);

  const hidden = new Set();
  function front(points, up, across) {
    const sign = key => smaller.has(key) ? 1 : -1;
    const sorted = points.filter(p => p.x != null && p.y != null)
      .sort((a, b) => sign(across) * (a.x - b.x) || sign(up) * (a.y - b.y));
    let best = Infinity;
    return sorted.filter(p => sign(up) * p.y < best && ((best = sign(up) * p.y), true));
  }
  function drawSpace() {
    const up = at("up").value, across = at("across").value;
    const all = [];
    const traces = names.map((name, index) => {
      const mine = every.filter(n => rows.board[n] === name && (rows.pareto[n] || !at("best").checked)
        && measures[up][1](n) != null && measures[across][1](n) != null);
      const x = mine.map(measures[across][1]), y = mine.map(measures[up][1]);
      if (!hidden.has(name)) mine.forEach((n, i) => all.push({x: x[i], y: y[i]}));
      const tone = palette[index % palette.length];
      return {
        name, x, y, customdata: mine, text: mine.map(n => hovers[n]), hovertemplate: "%{text}<extra></extra>",
        type: "scatter", mode: "markers", visible: hidden.has(name) ? "legendonly" : true,
        marker: {
          color: mine.map(n => rows.planned[n] ? tone : "rgba(0,0,0,0)"), size: mine.map(n => n === chosen ? 19 : 7 + 3 * ((names.length - 1 - index) % 4)),
          symbol: marks[Math.floor(index / palette.length) % marks.length], line: {color: tone, width: 1.5},
        },
      };
    });
    const line = front(all, up, across);
    traces.push({
      name: "front", x: line.map(p => p.x), y: line.map(p => p.y), type: "scatter", mode: "lines",
      line: {color: colour("--soft"), width: 1, dash: "dot", shape: "linear"}, hoverinfo: "skip", showlegend: false,
    });
    Plotly.react("space", traces, layout({
      xaxis: {title: {text: measures[across][0]}, type: "log"}, yaxis: {title: {text: measures[up][0]}, type: "log"},
      legend: {orientation: "v"}, hovermode: "closest",
    }), settings);
  }

  function drawMap() {
    const name = at("board").value, up = at("up").value;
    const mine = every.filter(n => rows.board[n] === name);
    const lanes = [...new Set(mine.map(n => rows.lanes[n]))].sort((a, b) => a - b);
    const banks = [...new Set(mine.map(n => rows.banks[n]))].sort((a, b) => a - b);
    const found = (l, b) => mine.find(n => rows.lanes[n] === l && rows.banks[n] === b);
    const grid = lanes.map(l => banks.map(b => found(l, b)));
    const value = n => n === undefined ? null : measures[up][1](n);
    Plotly.react("map", [{
      type: "heatmap", x: banks.map(String), y: lanes.map(String),
      z: grid.map(line => line.map(n => value(n) == null ? null : Math.log10(value(n)))),
      text: grid.map(line => line.map(n => n === undefined ? "" : hovers[n])),
      texttemplate: "", hovertemplate: "%{text}<extra></extra>", hoverongaps: false, colorscale: "Viridis",
      reversescale: smaller.has(up), colorbar: {title: {text: `log10 of ${measures[up][0]}`, side: "right"}},
      xgap: 1, ygap: 1,
    }], layout({
      xaxis: {title: {text: "banks"}, type: "category"}, yaxis: {title: {text: "lanes"}, type: "category"},
    }), settings);
  }

  function choose(n) {
    chosen = n;
    at("command").textContent = rows.command[n];
    const facts = {
      board: rows.board[n], engine: `${rows.lanes_built[n]} lanes, ${rows.banks[n]} banks, ${rows.groups[n]} ${rows.groups[n] === 1 ? "group" : "groups"}`,
      "embedding, head": `on the ${rows.embedding[n]}, on the ${rows.head[n]}`,
      "LUT4 or logic cells": `${number(rows.lut4[n])}, ${number(100 * rows.lut4_share[n])} % of the chip`,
      "flip-flops, block RAMs": `${number(rows.ff[n])}, ${rows.block_ram[n]}`,
      "cycles a token": number(rows.cycles_per_token[n]), "clock, MHz": rows.clock_mhz[n],
    };
    at("facts").replaceChildren(...Object.entries(facts).map(pair => {
      const line = document.createElement("tr");
      pair.forEach(text => { line.insertCell().textContent = text; });
      return line;
    }));
    const bars = [["engine", rows.tokens_per_s[n], ""]];
    for (const [link, wants] of Object.entries(rows.host[n])) {
      for (const [want, rate] of Object.entries(wants)) bars.push([`${link}, ${asked[want]}`, rate.tokens_per_s, rate.limit]);
    }
    bars.reverse();
    Plotly.react("rates", [{
      type: "bar", orientation: "h", y: bars.map(bar => bar[0]), x: bars.map(bar => bar[1]),
      text: bars.map(bar => `${number(bar[1])}${bar[2] ? ` · ${bar[2]}` : ""}`), textposition: "auto", hoverinfo: "skip",
      marker: {color: bars.map(bar => bar[0] === "engine" ? "#f58518" : "#4c78a8")},
    }], layout({xaxis: {type: "log", title: {text: "tokens/s, and what limits a host"}}, yaxis: {}}), settings);
    if (at("board").value !== rows.board[n]) {
      at("board").value = rows.board[n];
      drawMap();
    }
    drawSpace();
  }

  function drawActivity() {
    const found = data.activity, step = found.x.map((_, n) => n);
    const area = (y, name, tone) => ({y, x: step, name, stackgroup: "active", line: {width: 0, shape: "hv"}, fillcolor: tone});
    Plotly.react("steps", [
      area(found.x, "x", "#4c78a8"), area(found.h, "h", "#f58518"),
      {x: step, y: found.cycles, name: "cycles", mode: "lines", line: {color: "#e45756", width: 1.5}},
    ], layout({
      xaxis: {title: {text: found.unit}}, yaxis: {title: {text: "columns; cycles"}},
      legend: {orientation: "h", y: 1.2}, hovermode: "x unified",
    }), settings);
    const tone = found.share.map((_, n) => n < found.columns_x ? "#4c78a8" : "#f58518");
    const label = found.share.map((_, n) => n < found.columns_x ? `x ${n}` : `h ${n - found.columns_x}`);
    Plotly.react("columns", [{
      type: "bar", y: found.share.map(share => 100 * share), text: label, textposition: "none", marker: {color: tone},
      hovertemplate: "%{text}: active in %{y:.1f} %<extra></extra>",
    }], layout({
      xaxis: {title: {text: "column: those of x, then of h"}}, yaxis: {title: {text: "active, %"}}, bargap: 0,
    }), settings);
  }

  function drawAll() {
    drawMap();
    if (chosen === null) { drawSpace(); } else { choose(chosen); }
    drawActivity();
  }
  function fastest() {
    const fitting = every.filter(n => rows.planned[n]);
    const among = fitting.length ? fitting : every;
    return among.reduce((best, n) => rows.tokens_per_s[n] > rows.tokens_per_s[best] ? n : best, among[0]);
  }

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = name => { document.documentElement.dataset.theme = name; drawAll(); };
  at("theme").onclick = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
  if (count) chosen = fastest();
  drawAll();
  if (count) {
    for (const id of ["up", "across"]) at(id).onchange = () => { drawSpace(); drawMap(); };
    at("best").onchange = drawSpace;
    at("board").onchange = drawMap;
    at("copy").onclick = () => navigator.clipboard && navigator.clipboard.writeText(at("command").textContent);
    at("space").on("plotly_click", event => choose(event.points[0].customdata));
    at("space").on("plotly_legendclick", event => {
      const name = event.data[event.curveNumber].name;
      if (!hidden.delete(name)) hidden.add(name);
      drawSpace();
      return false;
    });
    at("space").on("plotly_legenddoubleclick", event => {
      const name = event.data[event.curveNumber].name;
      const alone = names.every(each => hidden.has(each) === (each !== name));
      hidden.clear();
      if (!alone) names.filter(each => each !== name).forEach(each => hidden.add(each));
      drawSpace();
      return false;
    });
    at("map").on("plotly_click", event => {
      const [lanes, banks] = [Number(event.points[0].y), Number(event.points[0].x)];
      const n = every.find(each => rows.board[each] === at("board").value && rows.lanes[each] === lanes && rows.banks[each] === banks);
      if (n !== undefined) choose(n);
    });
  }
})();
