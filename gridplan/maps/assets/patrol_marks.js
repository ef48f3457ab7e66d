// Numbers at the stops, names of zones and stations, and what lies under a tap.

STYLE.zone = { font: "700 14px " + FONTS, size: 14, ink: "#26384a", halo: 3.6 };
STYLE.team = { font: "600 11.5px " + FONTS, size: 11.5, ink: "#3c5263", halo: 3 };
var PILL = "700 11px " + FONTS;

// Stops of the routes shown, each with its numbers, where they fit: the first ones take the place.
Patrol.prototype.marks = function (blocked) {
  var self = this, map = this.view.map, size = map.getSize(), out = [], taken = blocked.slice(), pen = this.view.labels.pen;
  if (!this.on || !this.routing || !this.view.painter.on.stops || (this.team < 0 && map.getZoom() < 14)) return out;
  pen.font = PILL;
  this.routes.forEach(function (k) {
    if (!self.isShown(k)) return;
    var by = {}, order = [];
    self.legs(k).forEach(function (leg) {
      // Streets are numbered where their team is shown alone.
      if (!leg.number || (leg.kind === STREET && self.team < 0)) return;
      var key = leg.kind + "/" + leg.of;
      if (!by[key]) { by[key] = []; order.push(leg); }
      by[key].push(leg.number);
    });
    order.forEach(function (leg) {
      var numbers = by[leg.kind + "/" + leg.of], at = map.latLngToContainerPoint(self.placeOf(leg)), text = numbers.length > 3 ? numbers.slice(0, 3).join("·") + "…" : numbers.join("·");
      if (at.x < 0 || at.y < 0 || at.x > size.x || at.y > size.y) return;
      var half = Math.max(9.5, pen.measureText(text).width / 2 + 5);
      [[0, 0], [half + 7, 0], [-half - 7, 0], [0, -16], [0, 16]].some(function (d) {
        var m = { kind: leg.kind, of: leg.of, route: k, text: text, x: at.x + d[0], y: at.y + d[1], half: half };
        m.box = [m.x - half - 1, m.y - 10.5, m.x + half + 1, m.y + 10.5];
        if (taken.some(function (b) { return meets(m.box, b); })) return false;
        taken.push(m.box);
        return out.push(m);
      });
    });
  });
  return out;
};

// Where a stop lies, or the middle of a street.
Patrol.prototype.placeOf = function (leg) {
  var s = this.layer(leg.kind === STOP ? "stops" : "streets"), a = s.start[s.first[leg.of]], b = s.start[s.first[leg.of + 1]] - 1;
  if (b - a === 1) return toLatLng((s.x[a] + s.x[b]) / 2, (s.y[a] + s.y[b]) / 2);
  return toLatLng(s.x[(a + b) >> 1], s.y[(a + b) >> 1]);
};

function boxOf(mark) { return mark.box; }

function meets(a, b) { return a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1]; }

var coveredBefore = covered;
covered = function (frame) {
  var blocked = coveredBefore(frame), p = patrolShown;
  if (!p) return blocked;
  p.placed = p.marks(blocked);
  return blocked.concat(p.placed.map(boxOf));
};

var drawBefore = Labels.prototype.draw;
Labels.prototype.draw = function () {
  var p = patrolShown;
  if (p) p.placed = [];
  drawBefore.call(this);
  // Numbers are no names: they stay where names are switched off.
  if (p && p.on && !this.painter.on.labels) p.placed = p.marks(coveredBefore(this.map.getContainer().getBoundingClientRect()));
  if (p) p.paint(this.pen);
};

Patrol.prototype.paint = function (g) {
  var self = this;
  (this.placed || []).forEach(function (m) { pill(g, m.x, m.y, m.half, m.text, self.colour(m.route), m.kind === STREET); });
};

function pill(g, x, y, half, text, colour, hollow) {
  g.beginPath();
  g.arc(x - half + 9, y, 9, Math.PI / 2, 1.5 * Math.PI);
  g.arc(x + half - 9, y, 9, 1.5 * Math.PI, Math.PI / 2);
  g.closePath();
  g.fillStyle = hollow ? "#fff" : colour;
  g.fill();
  g.lineWidth = 1.8;
  g.strokeStyle = hollow ? colour : "#fff";
  g.stroke();
  g.font = PILL;
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.fillStyle = hollow ? colour : "#fff";
  g.fillText(text, x, y + 0.5);
}

var communitiesBefore = Labels.prototype.communities, gridsBefore = Labels.prototype.grids, specialsBefore = Labels.prototype.specials;
Labels.prototype.communities = function (view) {
  var p = patrolShown;
  if (!p || !p.on) return communitiesBefore.call(this, view);
  if (!this.painter.zoned(p)) communitiesBefore.call(this, view);
  if (p.routing && this.painter.on.stops && view.zoom >= 13.5) this.atPoints("stations", p.told.stations.name, view, function (f) { return p.isManned(f); });
  if (this.painter.on.zones) this.zones(view, p);
  if (p.routing && this.painter.on.stops && view.zoom >= 15.75) {
    this.atPoints("stops", p.told.stops.name, view, function (f) { return p.visited[f] && p.visited[f].some(function (h) { return p.isShown(h[0]); }); });
  }
  return undefined;
};

// Zones by name, with the teams on duty in them.
Labels.prototype.zones = function (view, p) {
  var self = this, c = p.layer("zones.centre"), told = p.told;
  told.zones.name.forEach(function (text, z) {
    var x = c.x[z] * view.size - view.left, y = c.y[z] * view.size - view.top, radius = told.zones.radius[z] / 10 * view.scale, name = shownName(text);
    if (told.zones.tier[z] !== p.tier || !name || radius < 16 || x < 0 || y < 0 || x > view.w || y > view.h) return;
    var teams = p.routes.filter(function (k) { return told.teams.zone[told.routes.team[k]] === z; }).map(function (k) { return told.teams.id[told.routes.team[k]]; });
    var lines = [[STYLE.zone, name, self.width(STYLE.zone, name)]], under = shownName(teams.slice(0, 4).join(" · "));
    if (teams.length && p.routing) lines.push([STYLE.team, under, self.width(STYLE.team, under)]);
    if (lines[0][2] > 3 * radius) return;
    [0, -1, 1, -2, 2].some(function (step) { return self.place("zone", lines, x, y + step * 20, view); });
  });
};

Labels.prototype.atPoints = function (layer, names, view, test) {
  var self = this, s = this.plan.layers["patrol." + layer];
  s.query(view.left / view.size, view.top / view.size, (view.left + view.w) / view.size, (view.top + view.h) / view.size).forEach(function (f) {
    var name = shownName(names[f]), x = s.x[f] * view.size - view.left, y = s.y[f] * view.size - view.top;
    if (!name || !test(f)) return;
    var wide = self.width(STYLE.grid, name);
    [[0, 18], [0, -18], [wide / 2 + 15, 0], [-wide / 2 - 15, 0]].some(function (d) {
      return self.place(layer, [[STYLE.grid, name, wide]], x + d[0], y + d[1], view);
    });
  });
};

Labels.prototype.grids = function (view) { if (!patrolShown || !patrolShown.on) gridsBefore.call(this, view); };
Labels.prototype.specials = function (view) { if (!patrolShown || !patrolShown.on || view.zoom >= 16) specialsBefore.call(this, view); };

var groupsBefore = Labels.prototype.groups;
Labels.prototype.groups = function (view) { if (!patrolShown || !patrolShown.on) groupsBefore.call(this, view); };

// What lies at a point of the map: ["stops" | "stations" | "route" | "street" | "zone", number], or null.
Patrol.prototype.hit = function (latlng) {
  var map = this.view.map, at = map.latLngToContainerPoint(latlng), on = this.view.painter.on, found = null;
  if (this.routing && on.stops) found = this.hitMark(at) || this.hitPoint("stations", at, latlng) || this.hitPoint("stops", at, latlng);
  if (!found && this.routing) found = this.hitRoute(at);
  return found || this.hitStreet(at, latlng) || this.hitZone(latlng);
};

Patrol.prototype.hitMark = function (at) {
  var m = (this.placed || []).filter(function (o) { return meets(o.box, [at.x, at.y, at.x, at.y]); })[0];
  return m ? [m.kind === STOP ? "stops" : "street", m.of] : null;
};

Patrol.prototype.hitPoint = function (layer, at, latlng) {
  var self = this, map = this.view.map, s = this.layer(layer), pad = 12 / (256 * Math.pow(2, map.getZoom())), best = null, least = 12;
  var x = toX(latlng.lng), y = toY(latlng.lat);
  s.query(x - pad, y - pad, x + pad, y + pad).forEach(function (f) {
    var q = map.latLngToContainerPoint(toLatLng(s.x[f], s.y[f])), far = Math.hypot(q.x - at.x, q.y - at.y);
    if (far < least && (layer === "stops" ? self.visited[f] || self.isMine(f) : self.isManned(f))) { least = far; best = [layer, f]; }
  });
  return best;
};

// The route drawn next to a point, each on its own side of the street.
Patrol.prototype.hitRoute = function (at) {
  var self = this, map = this.view.map, zoom = map.getZoom(), size = 256 * Math.pow(2, zoom), o = map.project(map.containerPointToLatLng([0, 0]), zoom);
  var best = null, least = 9, width = routeWidth(zoom);
  this.routes.forEach(function (k) {
    if (!self.isShown(k)) return;
    var line = self.line(k);
    for (var i = 0; i < line.lane.length; i++) {
      var ax = line.x[i] * size - o.x, ay = line.y[i] * size - o.y, bx = line.x[i + 1] * size - o.x, by = line.y[i + 1] * size - o.y;
      if (Math.max(ax, bx) < at.x - 20 || Math.min(ax, bx) > at.x + 20 || Math.max(ay, by) < at.y - 20 || Math.min(ay, by) > at.y + 20) continue;
      var far = Math.hypot(bx - ax, by - ay), off = laneOffset(line.lane[i], width, zoom), nx = -(by - ay) / far * off, ny = (bx - ax) / far * off;
      var d = aside(at.x, at.y, ax + nx, ay + ny, bx + nx, by + ny);
      if (d < least) { least = d; best = ["route", k]; }
    }
  });
  return best;
};

// How far a point lies from a straight step.
function aside(x, y, ax, ay, bx, by) {
  var dx = bx - ax, dy = by - ay, t = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

Patrol.prototype.hitStreet = function (at, latlng) {
  var self = this, map = this.view.map, s = this.layer("streets"), pad = 9 / (256 * Math.pow(2, map.getZoom())), best = null, least = 8;
  var x = toX(latlng.lng), y = toY(latlng.lat);
  s.query(x - pad, y - pad, x + pad, y + pad).forEach(function (q) {
    if (self.told.streets.tier[q] !== self.tier) return;
    for (var p = s.first[q]; p < s.first[q + 1]; p++) {
      for (var i = s.start[p]; i < s.start[p + 1] - 1; i++) {
        var d = aside(x, y, s.x[i], s.y[i], s.x[i + 1], s.y[i + 1]) / pad * 9;
        if (d < least) { least = d; best = ["street", q]; }
      }
    }
  });
  return best;
};

Patrol.prototype.hitZone = function (latlng) {
  var self = this, s = this.layer("zones"), x = toX(latlng.lng), y = toY(latlng.lat);
  var z = this.view.painter.on.zones ? s.query(x, y, x, y).filter(function (f) { return self.told.zones.tier[f] === self.tier && s.holds(f, x, y); })[0] : undefined;
  return z === undefined ? null : ["zone", z];
};
