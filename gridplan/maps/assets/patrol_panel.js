// Patrols beside the map: tier, day, shift and team, the legend, figures, and what is not met.

var wireBefore = Panels.prototype.wireStaffing;
Panels.prototype.wireStaffing = function () {
  var view = this.view, p = view.patrol = patrolShown = gridplan.patrol = new Patrol(view);
  view.painter.on.zones = view.painter.on.stops = true;
  p.box = byId("by-patrol");
  wireBefore.call(this);
  this.showPatrol();
  if (p.told.first) view.markColour("patrol");
};

// Which way of colouring is chosen, as far as the page goes.
View.prototype.markColour = function (name) {
  var p = this.patrol;
  p.on = name === "patrol";
  p.box.hidden = !p.on;
  document.body.classList.toggle("patrolling", p.on);
  if (!p.on) return;
  ["by-households", "by-staffing", "by-circle"].forEach(function (id) { if (byId(id)) byId(id).hidden = true; });
  document.querySelectorAll("[data-colour]").forEach(function (b) { b.setAttribute("aria-pressed", String(b.dataset.colour === name)); });
};

var colourBefore = View.prototype.colourBy;
View.prototype.colourBy = function (name) {
  if (this.patrol.on !== (name === "patrol")) { this.select(null); this.panels.closeCard(); }
  if (name !== "patrol") this.markColour(name);
  colourBefore.call(this, name === "patrol" ? "households" : name);
  if (name === "patrol") this.markColour(name);
  // The head is of another height now.
  this.map.invalidateSize({ animate: false });
  this.tiles.redraw();
  this.labels.draw();
};

Panels.prototype.changePatrol = function (change) {
  var p = this.view.patrol;
  p.choose(change);
  this.showPatrol();
  this.view.tiles.redraw();
  this.view.labels.draw();
  if (!this.card.hidden && this.again) this.again();
};

Panels.prototype.showPatrol = function () {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, box = p.box, top = byId("panel-body").scrollTop;
  box.textContent = "";
  function add(node) { if (node) box.appendChild(node); }
  if (told.tiers.length > 1) add(this.choices("tiers", t.tier, told.tiers.map(function (name) { return t["tier_" + name]; }), p.tier, function (k) { self.changePatrol({ tier: k }); }));
  if (p.inside) add(this.choices("states modes", t.show, [t.routes, t.frequency], p.routing ? 0 : 1, function (k) { self.changePatrol({ routing: k === 0 }); }));
  if (p.routing) {
    add(this.dayChoice());
    add(this.shiftChoice());
    add(this.teamList());
    add(make("h2", "", this.texts.back));
    add(this.patrolKeys());
  } else {
    add(make("h2", "", t.by_day));
    add(this.frequencies());
  }
  // What is not met comes before what is reached.
  this.lackList().forEach(add);
  this.patrolFigures().forEach(add);
  if (!p.inside) add(make("p", "note", t.shared));
  byId("panel-body").scrollTop = top;
};

Panels.prototype.pick = function (label, words, at, choose) {
  var select = make("select", "pick");
  select.setAttribute("aria-label", label);
  words.forEach(function (word, k) {
    var option = make("option", "", word);
    option.value = k;
    option.selected = k === at;
    select.appendChild(option);
  });
  select.addEventListener("change", function () { choose(+select.value); });
  return select;
};

// Days as a strip like that of a calendar; many of them as a list.
Panels.prototype.dayChoice = function () {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, days = told.days, box = make("div", ""), day = days[p.day];
  function choose(k) { self.changePatrol({ day: k }); }
  if (days.length > 7) box.appendChild(this.pick(t.day, days.map(function (d) { return (d[1] + " " + d[0]).trim(); }), p.day, choose));
  else if (days.length > 1) {
    var strip = this.choices("days", t.day, days.map(function (d) { return d[0]; }), p.day, choose);
    days.forEach(function (d, k) {
      if (d[1]) strip.children[k].appendChild(make("small", "", d[1]));
      if (d[2] > 1) strip.children[k].classList.add("rest-day");
    });
    box.appendChild(strip);
  }
  var words = [(day[1] + " " + day[0]).trim(), [null, t.days_workday, t.days_weekend, t.days_holiday][day[2]], day[3] && fillText(t.duty, { duty: day[3] })];
  box.appendChild(make("p", "told", words.filter(Boolean).join(" · ")));
  return box;
};

Panels.prototype.shiftChoice = function () {
  var self = this, p = this.view.patrol, told = p.told, shifts = p.shifts(), words = shifts.map(function (s) { return told.shifts[s]; });
  function choose(k) { self.changePatrol({ shift: shifts[k] }); }
  if (!shifts.length) return null;
  return shifts.length > 3 ? this.pick(told.text.shift, words, shifts.indexOf(p.shift), choose)
    : this.choices("shifts", told.text.shift, words, shifts.indexOf(p.shift), choose);
};

// The teams of the shift with their colours; each can be shown alone.
Panels.prototype.teamList = function () {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, r = told.routes, list = make("ul", "teams");
  if (!p.routes.length) return make("p", "none", t.no_routes);
  function add(colour, name, more, km, pressed, act) {
    var b = button("", act), key = make("i"), who = make("span", "who", undefined, make("b", "", undefined, own(name)));
    key.style.background = colour;
    if (more) who.appendChild(make("span", "", undefined, own(more)));
    b.appendChild(key);
    b.appendChild(who);
    b.appendChild(make("em", "", km));
    b.setAttribute("aria-pressed", String(pressed));
    list.appendChild(make("li", "", undefined, b));
  }
  var total = p.routes.reduce(function (sum, k) { return sum + r.metres[k]; }, 0);
  add("linear-gradient(90deg," + TEAM_COLOURS.slice(0, 4).join(",") + ")", t.all_teams, fillText(t.team_count, { n: p.routes.length }), fillText(t.km, { n: kmText(total) }), p.team < 0, function () {
    self.closeCard();
    self.changePatrol({ team: -1 });
  });
  p.routes.forEach(function (k) {
    var team = r.team[k], zone = told.teams.zone[team];
    add(p.colour(k), told.teams.id[team], zone < 0 ? "" : told.zones.name[zone], fillText(t.km, { n: kmText(r.metres[k]) }) + " · " + fillText(t.hours_short, { h: (r.minutes[k] / 60).toFixed(1) }), p.team === team, function () { self.goRoute(k); });
  });
  return list;
};

function hoursText(minutes, t) {
  return minutes < 60 ? fillText(t.minutes, { n: minutes }) : fillText(t.hours, { h: Math.floor(minutes / 60), m: minutes % 60 });
}

Panels.prototype.sign = function (list, word, count, draw) {
  var canvas = make("canvas", "key"), g = canvas.getContext("2d");
  canvas.width = 68;
  canvas.height = 36;
  g.scale(2, 2);
  draw(g);
  list.appendChild(make("li", "", undefined, canvas, make("span", "", word), count ? make("em", "", count) : null));
};

// The signs that are on the map now, drawn by the same hand, with how much there is of each.
Panels.prototype.patrolKeys = function () {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, list = make("ul", "patrol-keys"), kinds = { passed: [], waiting: [], lacking: [] };
  p.kinds.forEach(function (kind, q) { if (kind) kinds[kind].push(q); });
  function length(ids) { return fillText(t.km, { n: kmText(ids.reduce(function (sum, q) { return sum + told.streets.metres[q]; }, 0)) }); }
  function stroke(g, colour, width, dash) {
    g.strokeStyle = colour;
    g.lineWidth = width;
    g.setLineDash(dash || []);
    g.beginPath();
    g.moveTo(0, 9);
    g.lineTo(34, 9);
    g.stroke();
  }
  var colour = p.routes.length ? p.colour(p.team < 0 ? p.routes[0] : p.chosen()) : TEAM_COLOURS[0];
  if (p.routes.length) this.sign(list, t.route, "", function (g) { stroke(g, colour, 3.4); arrow(g, 17, 9, 1, 0, 5, colour); });
  if (kinds.passed.length) this.sign(list, t.band, length(kinds.passed), function (g) { stroke(g, PATROL.passed, 12); stroke(g, colour, 3); });
  if (kinds.waiting.length) this.sign(list, t.waiting, length(kinds.waiting), function (g) { stroke(g, PATROL.waiting, 2.2, [5, 4]); });
  if (kinds.lacking.length) this.sign(list, t.lacking, length(kinds.lacking), function (g) { stroke(g, PATROL.lacking, 2.6, [3, 3]); });
  var stops = Object.keys(p.visited).length, idle = 0, lost = Object.keys(p.lacking[STOP]).filter(function (f) { return p.isMine(f) || p.visited[f]; }).length;
  for (var f = 0; f < told.stops.name.length; f++) if (p.isMine(f) && !p.visited[f]) idle++;
  if (stops) this.sign(list, t.number, thousands(stops), function (g) { pill(g, 17, 9, 8.5, "1", colour); });
  if (idle) this.sign(list, t.idle, thousands(idle), function (g) { hollow(g, 17, 9, 4); });
  if (lost) this.sign(list, t.lacking, thousands(lost), function (g) { hollow(g, 17, 9, 3.6); ring(g, 17, 9, 7.5, PATROL.lacking, 2); });
  if (told.stations.name.some(function (_, s) { return p.isManned(s); })) this.sign(list, t.station, "", function (g) { station(g, 17, 9, 5); });
  if (told.zones.tier.indexOf(p.tier) >= 0) this.sign(list, t.outline, "", function (g) { stroke(g, PATROL.zone, 1.8, [6, 3]); });
  return list;
};

Panels.prototype.frequencies = function () {
  var p = this.view.patrol, s = p.told.streets, t = p.told.text, list = make("ul", "frequencies"), metres = PASS_RAMP.map(function () { return 0; });
  s.tier.forEach(function (tier, q) { if (tier === p.tier && s.passes[q] > 0) metres[passStep(s.passes[q])] += s.metres[q]; });
  PASS_RAMP.forEach(function (colour, step) {
    if (!metres[step]) return;
    var key = make("i", "key"), last = step === PASS_RAMP.length - 1;
    key.style.background = colour;
    key.style.height = 4 + step + "px";
    list.appendChild(make("li", "", undefined, key, make("span", "", fillText(t.per_day, { n: (last ? "≥ " : "") + (step + 1) })), make("em", "", fillText(t.km, { n: kmText(metres[step]) }))));
  });
  return list;
};

function shareWords(value) {
  var whole = Math.round(100 * value);
  return (value > 0 && value < 1 ? Math.min(99, Math.max(1, whole)) : whole) + " %";
}

Panels.prototype.gauge = function (list, name, figure, at, means) {
  var fill = make("i"), bar = make("span", "bar", undefined, fill), value = figure[0], low = figure[1] !== null && value < figure[1] - 1e-9;
  fill.style.width = Math.min(100, 100 * value) + "%";
  fill.style.background = low ? "#d9a13b" : "#4f8ba0";
  if (figure[1] !== null) {
    var tick = make("u");
    tick.style.left = Math.min(100, 100 * figure[1]) + "%";
    bar.appendChild(tick);
  }
  var row = make("li", "gauge" + (at ? " at" : ""), undefined, make("span", "name", name), bar, make("span", "points" + (low ? " low" : ""), shareWords(value)));
  if (means) row.title = means;
  list.appendChild(row);
};

// The figures of the plan: what streets and households get, and how good the routes are.
Panels.prototype.patrolFigures = function () {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, city = told.figures.city[""] || {}, out = [];
  var seen = make("ul", "bars");
  told.tiers.forEach(function (name, k) {
    var held = (told.figures.tier[name] || {}).street_visibility;
    if (held) self.gauge(seen, t["tier_" + name], held, told.tiers.length > 1 && k === p.tier, t.street_visibility_means);
  });
  if (!seen.children.length && city.street_visibility) this.gauge(seen, t.tier_city, city.street_visibility, false, t.street_visibility_means);
  if (seen.children.length) out.push(make("h2", "", t.street_visibility), seen);
  var shares = make("ul", "bars"), facts = make("dl", "facts");
  ["visit_share", "pass_share", "response_share_1", "response_share_3", "response_share_5", "response_share_15"].forEach(function (name) {
    if (city[name]) self.gauge(shares, t[name], city[name]);
  });
  function fact(name, words, low) {
    var row = make("div", "", undefined, make("dt", "", t[name]), make("dd", low ? "low" : "", words));
    if (t[name + "_means"]) row.title = t[name + "_means"];
    facts.appendChild(row);
  }
  function minutes(v) { return hoursText(Math.round(v), t); }
  if (told.team_count) fact("teams", thousands(told.team_count));
  if (city.patrol_gap) fact("patrol_gap", (100 * city.patrol_gap[0]).toFixed(1) + " %");
  if (city.staff_per_10000) fact("staff_per_10000", city.staff_per_10000[0].toFixed(1) + (city.staff_per_10000[1] ? " / " + city.staff_per_10000[1] : ""), city.staff_per_10000[0] < city.staff_per_10000[1]);
  if (city.deadhead_share) fact("deadhead_share", shareWords(city.deadhead_share[0]));
  if (city.idleness_worst) fact("idleness_worst", minutes(city.idleness_worst[0]));
  if (city.stop_gap_worst) fact("stop_gap_worst", minutes(city.stop_gap_worst[0]));
  if (city.entropy_bits && city.entropy_most) fact("entropy_bits", city.entropy_bits[0].toFixed(1) + " / " + city.entropy_most[0].toFixed(1));
  if (city.day_overlap) fact("day_overlap", shareWords(city.day_overlap[0]));
  if (shares.children.length || facts.children.length) out.push(make("h2", "", t.figures), shares, facts);
  return out;
};

// What is not met: by reason, and inside the house also where.
Panels.prototype.lackList = function () {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, total = 0, list = make("ul", "lacks");
  told.lacking.forEach(function (r) { total += r[1] + r[2]; });
  if (!total) return [make("h2", "", t.unmet), make("p", "fine", t.all_met)];
  if (!p.inside) told.lacking.forEach(function (r) {
    list.appendChild(make("li", "", undefined, make("p", "plain-row", undefined, make("b", "", t["reason_" + told.reasons[r[0]]]), make("em", "", thousands(r[1] + r[2])))));
  });
  else {
    told.lacks.slice(0, 5).forEach(function (u) { list.appendChild(make("li", "", undefined, self.lackRow(u))); });
    if (told.lacks.length > 5) {
      var more = button("more", function () { self.allLacks(); });
      more.textContent = fillText(t.rest, { n: thousands(told.lacks.length - 5) });
      list.appendChild(make("li", "", undefined, more));
    }
  }
  return [make("h2", "", t.unmet + " · " + fillText(t.n_unmet, { n: thousands(total) })), list];
};

Panels.prototype.lackRow = function (u) {
  var self = this, told = this.view.patrol.told, t = told.text, b = button("", function () { self.goLack(u); });
  b.appendChild(make("b", "", undefined, own(u[0] === STOP ? told.stops.name[u[1]] : told.streets.names[told.streets.name[u[1]]])));
  b.appendChild(make("em", "", "× " + thousands(u[3])));
  b.appendChild(make("span", "", (u[0] === STOP ? t.stop : t.street) + " · " + t["reason_" + told.reasons[u[2]]]));
  return b;
};

Panels.prototype.allLacks = function () {
  var self = this, told = this.view.patrol.told, list = make("ul", "lacks"), at = 0;
  function add() {
    told.lacks.slice(at, at + 200).forEach(function (u) { list.appendChild(make("li", "", undefined, self.lackRow(u))); });
    at += 200;
    if (at >= told.lacks.length) return;
    var more = button("more", function () { list.removeChild(more.parentNode); add(); });
    more.textContent = fillText(told.text.rest, { n: thousands(told.lacks.length - at) });
    list.appendChild(make("li", "", undefined, more));
  }
  add();
  this.showList(told.text.unmet + " · " + thousands(told.lacks.length), list);
};
