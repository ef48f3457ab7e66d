// Patrols: what is packed of them, and which routes are shown.

var TEAM_COLOURS = ["#2468b4", "#d2720c", "#2b8a57", "#8a46ad", "#0d93a3", "#c23f83", "#8a5a2b", "#7f8a12", "#4b4fc6"];
var STOP = 0, STREET = 1, REST = 2, patrolShown = null;

function Patrol(view) {
  var told = view.plan.patrol, self = this;
  this.view = view;
  this.plan = view.plan;
  this.told = told;
  this.inside = told.inside;
  this.on = false;
  this.routing = told.inside;
  this.tier = this.day = this.shift = 0;
  this.team = -1;
  this.routes = [];
  this.lines = {};
  if (!this.inside) return;
  this.unpackWays();
  this.unpackVisits();
  var first = told.tiers.findIndex(function (_, t) { return self.held(-1, -1, t).length; });
  this.choose({ tier: Math.max(0, first) });
}

Patrol.prototype.layer = function (name) { return this.plan.layers["patrol." + name]; };

// A way is a row of pieces, each twice its number, and one more where it is gone against its drawing.
Patrol.prototype.unpackWays = function () {
  var steps = this.plan.numbers.ways, at = 0, ways = this.ways = [];
  this.plan.numbers["ways.size"].forEach(function (size) {
    var way = new Int32Array(size), last = 0;
    for (var i = 0; i < size; i++) way[i] = last += steps[at++];
    ways.push(way);
  });
};

Patrol.prototype.unpackVisits = function () {
  var n = this.plan.numbers, at = 0, stays = 0, out = this.visits = [];
  n["visits.size"].forEach(function (size) {
    var last = [0, 0, 0], quarter = 0, stops = 0, list = [];
    for (var i = 0; i < size; i++, at++) {
      var kind = n["visits.kind"][at];
      last[kind] += n["visits.of"][at];
      quarter += n["visits.quarter"][at];
      list.push({ kind: kind, of: last[kind], quarter: quarter - 1, stay: kind === STREET ? 0 : n["visits.stay"][stays++],
                  number: kind === STOP ? ++stops : 0 });
    }
    out.push(list);
  });
};

// The routes of a day, shift and tier; −1 stands for any.
Patrol.prototype.held = function (day, shift, tier) {
  var r = this.told.routes, tiers = this.told.teams.tier, out = [];
  for (var k = 0; k < r.day.length; k++) {
    if ((day < 0 || r.day[k] === day) && (shift < 0 || r.shift[k] === shift) && (tier < 0 || tiers[r.team[k]] === tier)) out.push(k);
  }
  return out;
};

Patrol.prototype.shifts = function () {
  var r = this.told.routes, seen = this.held(-1, -1, this.tier).reduce(function (all, k) { all[r.shift[k]] = 1; return all; }, {});
  return Object.keys(seen).map(Number).sort(function (a, b) { return a - b; });
};

// Choose day, shift, tier or team: a shift that the tier does not have gives way to its first.
Patrol.prototype.choose = function (change) {
  var self = this, r = this.told.routes, before = this.tier;
  ["tier", "day", "shift", "team", "routing"].forEach(function (name) { if (name in change) self[name] = change[name]; });
  if (!this.inside) return;
  var shifts = this.shifts();
  if (shifts.length && shifts.indexOf(this.shift) < 0) this.shift = shifts[0];
  this.routes = this.held(this.day, this.shift, this.tier);
  if (before !== this.tier || !this.routes.some(function (k) { return r.team[k] === self.team; })) this.team = -1;
  this.gather();
};

// What the routes shown do: streets and stops by number, lanes of pieces, lines to draw.
Patrol.prototype.gather = function () {
  var self = this, told = this.told, uses = this.uses = {}, passed = this.passed = {}, stops = this.visited = {};
  this.lines = {};
  this.routes.forEach(function (k) {
    (self.ways[told.routes.way[k]] || []).forEach(function (ref) {
      var all = uses[ref] = uses[ref] || [];
      if (all.indexOf(k) < 0) all.push(k);
    });
    self.visits[k].forEach(function (v) {
      if (v.kind === STREET) passed[v.of] = (passed[v.of] || 0) + 1;
      if (v.kind === STOP) (stops[v.of] = stops[v.of] || []).push([k, v]);
    });
  });
  this.lacking = [{}, {}];
  told.lacks.forEach(function (u) {
    var now = u[4].some(function (w) { return (w[0] < 0 || w[0] === self.day) && (w[1] < 0 || w[1] === self.shift); });
    if (now) self.lacking[u[0]][u[1]] = (self.lacking[u[0]][u[1]] || 0) + u[3];
  });
  this.sortStreets();
};

// The line of a route in the unit square, with the lane of every step: routes side by side on one street.
Patrol.prototype.line = function (k) {
  if (this.lines[k]) return this.lines[k];
  var s = this.layer("pieces"), uses = this.uses, xs = [], ys = [], lanes = [], sums = [0];
  (this.ways[this.told.routes.way[k]] || []).forEach(function (ref) {
    var piece = ref >> 1, back = ref & 1, lane = Math.min(2, uses[ref].indexOf(k));
    if (s.first[piece] === s.first[piece + 1]) return;
    var from = s.start[s.first[piece]], end = s.start[s.first[piece] + 1] - 1;
    for (var i = 0; i <= end - from; i++) {
      var at = back ? end - i : from + i, n = xs.length;
      var step = n ? Math.hypot(s.x[at] - xs[n - 1], s.y[at] - ys[n - 1]) : 0;
      if (n && step < 1e-10) continue;
      xs.push(s.x[at]);
      ys.push(s.y[at]);
      if (n) { lanes.push(lane); sums.push(sums[n - 1] + step); }
    }
  });
  function least(a) { return a.reduce(function (m, v) { return Math.min(m, v); }, 9); }
  function most(a) { return a.reduce(function (m, v) { return Math.max(m, v); }, -9); }
  return this.lines[k] = { x: xs, y: ys, lane: lanes, sum: sums, box: [least(xs), least(ys), most(xs), most(ys)] };
};

Patrol.prototype.bounds = function (k) {
  var line = this.line(k), box = line.box;
  return line.x.length ? L.latLngBounds(toLatLng(box[0], box[3]), toLatLng(box[2], box[1])) : this.view.extent();
};

Patrol.prototype.colour = function (k) { return TEAM_COLOURS[this.told.teams.colour[this.told.routes.team[k]]]; };

// The route of the chosen team, or −1.
Patrol.prototype.chosen = function () {
  var self = this;
  return this.team < 0 ? -1 : this.routes.filter(function (k) { return self.told.routes.team[k] === self.team; })[0];
};

Patrol.prototype.isShown = function (k) { return this.team < 0 || this.told.routes.team[k] === this.team; };

// Whether a street is to be passed on the day shown, by its kind: 0 is any day.
Patrol.prototype.isAsked = function (q) {
  var s = this.told.streets, day = this.inside ? this.told.days[this.day] : null;
  return s.tier[q] === this.tier && s.passes[q] > 0 && (!day || s.days[q] <= 0 || !day[2] || s.days[q] === day[2]);
};

// Streets of the tier by what the shift does with them: passed, waiting, lacking; blank is another's.
Patrol.prototype.sortStreets = function () {
  var self = this;
  this.kinds = this.told.streets.tier.map(function (tier, q) {
    if (tier === self.tier && self.passed[q]) return "passed";
    return !self.isAsked(q) ? "" : self.lacking[STREET][q] ? "lacking" : "waiting";
  });
};

// What a route does, in order: stops, breaks, and streets together that follow each other.
// Stops bear the numbers; on a route without any the streets do.
Patrol.prototype.legs = function (k) {
  var told = this.told, out = [], stops = this.visits[k].some(function (v) { return v.kind === STOP; }), number = 0;
  this.visits[k].forEach(function (v) {
    var last = out[out.length - 1], name = v.kind === STREET ? told.streets.names[told.streets.name[v.of]] : "";
    // With numbers of their own, streets of another name begin anew.
    if (v.kind === STREET && last && last.kind === STREET && (stops || last.names[0] === name)) {
      last.passes++;
      if (last.names.indexOf(name) < 0) last.names.push(name);
      return;
    }
    out.push({ kind: v.kind, of: v.of, quarter: v.quarter, stay: v.stay, passes: 1, names: [name], number: v.kind === STOP || (v.kind === STREET && !stops) ? ++number : 0 });
  });
  return out;
};

function bandText(quarter, texts) {
  if (quarter < 0) return "";
  function clock(q) { return ("0" + (q >> 2) % 24).slice(-2) + ":" + ("0" + q % 4 * 15).slice(-2); }
  return clock(quarter) + "–" + clock(quarter + 1) + (quarter >= 96 ? " " + texts.next_day : "");
}

function kmText(metres) { return (metres > 0 ? Math.max(0.1, metres / 1000) : 0).toFixed(1); }
