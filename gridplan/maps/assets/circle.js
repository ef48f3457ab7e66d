// The service circle on the canvas: grids or dots by share, facilities, sites, areas, gaps.

var SHARE_RAMP = ["#fbe3b0", "#e8e2bd", "#c2dad2", "#94bfca", "#5f9aae", "#336f89"];
var HOUSEHOLD_RAMP = COLOUR.ramp, SHARE_STEPS = [20, 40, 60, 80, 95];
var FACILITY = "#16323f", SITE = "#b8431c", GAP = "#7d2a12", AREA = "#17617c";
MARK.unknown = ["#efece4", "", ""];

// A share as it is packed: 200 more stands for "under", 400 more for "over" so many percent.
function shareStep(code) {
  var step = 0;
  if (code < 0) return -1;
  while (step < SHARE_STEPS.length && code % 200 >= SHARE_STEPS[step]) step++;
  return step;
}

function shareText(code, texts) {
  if (code < 0) return code === -1 ? texts.few : "–";
  return ["", "< ", "> "][Math.floor(code / 200)] + code % 200 + " %";
}

// What is shown of the circle: a state, a walker and a theme (0 is completeness, k the k-th category).
function Circle(view) {
  this.view = view;
  this.plan = view.plan;
  this.told = view.plan.circle;
  this.dots = Boolean(this.told.demand);
  this.on = this.dots;
  this.state = this.walker = this.theme = 0;
}

// Shares or gaps of the theme shown, or of another one; those of the first state where they do not change.
Circle.prototype.pick = function (name, theme) {
  var k = theme === undefined ? this.theme : theme, w = this.walker;
  var later = this.told[name][this.state][w];
  return (later && later[k]) || this.told[name][0][w][k];
};

Circle.prototype.covers = function (k) { return this.theme === 0 || this.told.facilities.of[k].indexOf(this.theme - 1) >= 0; };

// Facilities are drawn for one category; proposed ones stand where its sites do, in the second state.
Circle.prototype.drawn = function (k) {
  return this.theme > 0 && this.covers(k) && (!this.told.facilities.new[k] || this.proposing());
};

Circle.prototype.proposing = function () { return this.state === 1 || !this.told.altered.length; };

Circle.prototype.sited = function (k) {
  return this.proposing() && (this.theme === 0 || this.told.sites.of[k] === this.theme - 1);
};

Circle.prototype.looks = function () {
  return this.pick("grids").map(function (code) { var s = shareStep(code); return s < 0 ? "unknown" : s; });
};

// The looks of all grids, by households, by staffing or by what they reach.
View.prototype.colourBy = function (name) {
  var c = this.circle, painter = this.painter, staff = byId("by-staffing");
  c.on = name === "circle";
  painter.colourBy(name === "staffing");
  if (c.on) painter.group = c.looks();
  COLOUR.ramp = c.on ? SHARE_RAMP : HOUSEHOLD_RAMP;
  document.querySelectorAll("[data-colour]").forEach(function (b) { b.setAttribute("aria-pressed", String(b.dataset.colour === name)); });
  byId("by-households").hidden = name !== "households";
  byId("by-circle").hidden = !c.on;
  if (staff) staff.hidden = name !== "staffing";
  this.tiles.redraw();
  this.labels.draw();
};

var tilePlainly = Painter.prototype.tile;
Painter.prototype.tile = function (canvas, coords) {
  var c = this.plan.circle.shown, on = this.on;
  if (!c || !c.on) return tilePlainly.call(this, canvas, coords);
  // Parks would cover what grids reach; round dots there is nothing to divide.
  this.on = Object.assign({}, on, { green: on.green && c.dots, communities: on.communities && !c.dots, grids: on.grids && !c.dots });
  tilePlainly.call(this, canvas, coords);
  this.on = on;
  var v = { g: canvas.getContext("2d"), zoom: coords.z, size: 256 * Math.pow(2, coords.z), left: coords.x * TILE, top: coords.y * TILE };
  if (this.on.areas) this.areas(v, c);
  if (c.dots) this.dots(v, c);
  if (this.on.facilities) this.facilities(v, c);
  if (this.on.facilities) this.sites(v, c);
  return undefined;
};

Painter.prototype.areas = function (v, c) {
  var of = c.told.areas, changes = c.told.altered.indexOf(c.theme - 1) >= 0, after = changes && c.state === 1 ? 1 : 0;
  var ids = this.near("areas", v, 4).filter(function (f) { return of.of[f] === c.theme - 1 && of.after[f] === after; });
  if (!ids.length) return;
  this.trace("areas", ids, v, true);
  this.stroke(v, "rgba(255,255,255,.8)", 4);
  this.stroke(v, AREA, 1.8, [7, 4]);
};

// Visit the points of a layer that may show on a tile, with their places on it.
Painter.prototype.points = function (layer, v, pad, visit) {
  var s = this.plan.layers[layer];
  this.near(layer, v, pad).forEach(function (f) { visit(f, s.x[f] * v.size - v.left, s.y[f] * v.size - v.top); });
};

Painter.prototype.dots = function (v, c) {
  var steps = c.pick("demand"), g = v.g, radius = Math.max(1.6, Math.min(7, (v.zoom - 10) * 1.1));
  this.points("demand", v, 8, function (f, x, y) {
    g.beginPath();
    g.arc(x, y, radius, 0, 7);
    g.fillStyle = steps[f] < 0 ? MARK.unknown[0] : SHARE_RAMP[steps[f]];
    g.fill();
    g.lineWidth = radius > 3 ? 0.9 : 0.4;
    g.strokeStyle = "rgba(40,66,78,.55)";
    g.stroke();
  });
};

Painter.prototype.facilities = function (v, c) {
  var g = v.g, size = c.size(v.zoom), fresh = c.told.facilities.new;
  this.points("facilities", v, 14, function (f, x, y) {
    if (!c.drawn(f)) return;
    if (fresh[f]) star(g, x, y, size + 3.5);
    else facility(g, x, y, size);
  });
};

// Among dots a facility is the bigger one.
Circle.prototype.size = function (zoom) { return Math.max(1.7, Math.min(6, (zoom - 10.5) * 1.25)) + (this.dots ? 2.5 : 0); };

Painter.prototype.sites = function (v, c) {
  var g = v.g, size = siteSize(v.zoom), rank = c.told.sites.rank;
  this.points("sites", v, 18, function (f, x, y) {
    if (!c.sited(f)) return;
    star(g, x, y, size);
    if (size < 10) return;
    g.font = "700 " + Math.round(size * 0.78) + "px " + FONTS;
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.fillStyle = "#fff";
    g.fillText(String(rank[f]), x, y + size * 0.07);
  });
};

function siteSize(zoom) { return Math.max(6, Math.min(14, (zoom - 8.5) * 2.4)); }

function facility(g, x, y, size) {
  g.beginPath();
  g.arc(x, y, size, 0, 7);
  g.fillStyle = FACILITY;
  g.fill();
  g.lineWidth = size > 3 ? 1.6 : 0.8;
  g.strokeStyle = "#fff";
  g.stroke();
}

function star(g, x, y, size) {
  g.beginPath();
  for (var k = 0; k < 10; k++) {
    var r = k % 2 ? size * 0.52 : size, a = k * Math.PI / 5 - Math.PI / 2;
    g.lineTo(x + r * Math.cos(a), y + r * Math.sin(a));
  }
  g.closePath();
  g.lineJoin = "round";
  g.lineWidth = size > 8 ? 3 : 2;
  g.strokeStyle = "#fff";
  g.stroke();
  g.fillStyle = SITE;
  g.fill();
}

// The facilities drawn in view: too many of them would leave no place for a name.
Circle.prototype.inView = function () {
  var self = this, b = this.view.map.getBounds(), ids;
  if (!this.theme || !this.view.painter.on.facilities) return [];
  ids = this.plan.layers.facilities.query(toX(b.getWest()), toY(b.getNorth()), toX(b.getEast()), toY(b.getSouth()));
  ids = ids.filter(function (f) { return self.drawn(f); });
  return ids.length > 300 ? [] : ids;
};

// Marks that names keep away from: numbered gaps, sites and what they gain.
Circle.prototype.marks = function () {
  var self = this, map = this.view.map, layers = this.plan.layers, out = [], size = map.getSize();
  if (!this.on) return out;
  function at(layer, f) { return map.latLngToContainerPoint(toLatLng(layers[layer].x[f], layers[layer].y[f])); }
  function seen(p) { return p.x > 14 && p.y > 14 && p.x < size.x - 14 && p.y < size.y - 14; }
  if (!this.dots) this.pick("gaps").forEach(function (gap, k) {
    var p = at("grids.centre", gap[0]);
    if (seen(p)) out.push({ kind: "gap", text: String(k + 1), x: p.x, y: p.y, half: 11, grid: gap[0] });
  });
  this.told.sites.of.forEach(function (_, f) {
    if (!self.sited(f) || !self.view.painter.on.facilities) return;
    var p = at("sites", f);
    if (seen(p)) out.push({ kind: "site", text: "", x: p.x, y: p.y, half: siteSize(map.getZoom()), site: f });
  });
  out.forEach(function (m) {
    if (m.kind === "gap" && out.some(function (o) { return o.kind === "site" && Math.hypot(o.x - m.x, o.y - m.y) < o.half + m.half; })) m.y -= 26;
  });
  if (map.getZoom() >= 13) this.inView().forEach(function (f) {
    var p = at("facilities", f);
    out.push({ kind: "facility", text: "", x: p.x, y: p.y, half: self.size(map.getZoom()) + 1 });
  });
  return out;
};

var coveredByPanels = covered, circleShown = null;
covered = function (frame) {
  var marks = circleShown ? circleShown.marks() : [];
  return coveredByPanels(frame).concat(marks.map(function (m) { return [m.x - m.half - 1, m.y - m.half - 1, m.x + m.half + 1, m.y + m.half + 1]; }));
};

STYLE.gain = { font: "700 11.5px " + FONTS, size: 11.5, ink: "#8f3212", halo: 3.4 };

// What sites gain is written before any name, beside its star.
Labels.prototype.gains = function (view) {
  var self = this, c = circleShown, texts = c.told.text;
  c.marks().forEach(function (m) {
    if (m.kind !== "site" || m.half < 9) return;
    var text = fillText(texts.plus, { n: countText(c.told.sites.gain[m.site], self.texts) }), wide = self.width(STYLE.gain, text);
    var off = m.half + 10, side = m.half + wide / 2 + 6;
    [[0, off], [0, -off], [side, 0], [-side, 0]].some(function (d) {
      return self.place("gain", [[STYLE.gain, text, wide]], m.x + d[0], m.y + d[1], view);
    });
  });
};

var communitiesPlainly = Labels.prototype.communities, gridsPlainly = Labels.prototype.grids;
Labels.prototype.communities = function (view) {
  if (circleShown && circleShown.on) this.gains(view);
  communitiesPlainly.call(this, view);
};

// In the circle's colours a grid tells its share, not its households.
Labels.prototype.grids = function (view) {
  var plan = this.plan, texts = this.texts, c = circleShown;
  if (!c || !c.on) return gridsPlainly.call(this, view);
  if (c.dots) return undefined;
  this.plan = Object.assign({}, plan, { grids: Object.assign({}, plan.grids, { former: c.pick("grids").map(function (v) { return shareText(v, texts); }) }) });
  this.texts = Object.assign({}, texts, { unit: "{n}" });
  gridsPlainly.call(this, view);
  this.plan = plan;
  this.texts = texts;
  return undefined;
};

// Names of the category's facilities, from near.
var specialsPlainly = Labels.prototype.specials;
Labels.prototype.specials = function (view) {
  var self = this, c = circleShown;
  if (c && c.on && c.theme && view.zoom >= 15.5 && this.painter.on.facilities) {
    var s = this.plan.layers.facilities;
    s.query(view.left / view.size, view.top / view.size, (view.left + view.w) / view.size, (view.top + view.h) / view.size).forEach(function (f) {
      var name = shownName(c.told.facilities.name[f]), x = s.x[f] * view.size - view.left, y = s.y[f] * view.size - view.top;
      if (!name || !c.drawn(f)) return;
      var wide = self.width(STYLE.grid, name);
      [[0, 15], [0, -15], [wide / 2 + 11, 0], [-wide / 2 - 11, 0]].some(function (d) {
        return self.place("facility", [[STYLE.grid, name, wide]], x + d[0], y + d[1], view);
      });
    });
  }
  specialsPlainly.call(this, view);
};

var paintPlainly = Labels.prototype.paint;
Labels.prototype.paint = function () {
  paintPlainly.call(this);
  var g = this.pen;
  (circleShown ? circleShown.marks() : []).forEach(function (m) {
    if (m.kind === "gap") badge(g, m.x, m.y, 10, m.text);
  });
};

function badge(g, x, y, size, text) {
  g.beginPath();
  g.arc(x, y, size, 0, 7);
  g.fillStyle = GAP;
  g.fill();
  g.lineWidth = 2;
  g.strokeStyle = "#fff";
  g.stroke();
  g.font = "700 " + Math.round(size * 1.2) + "px " + FONTS;
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.fillStyle = "#fff";
  g.fillText(text, x, y + 0.5);
}

// A facility or site near a point of the map: its layer and number, or null.
Circle.prototype.hit = function (latlng) {
  var self = this, map = this.view.map, p = map.latLngToContainerPoint(latlng), best = null, least = 15, on = this.view.painter.on.facilities;
  if (!this.on || !on) return null;
  [["sites", "sited", 15], ["facilities", "drawn", 9]].forEach(function (kind) {
    var s = self.plan.layers[kind[0]], size = 256 * Math.pow(2, map.getZoom()), pad = kind[2] / size;
    s.query(toX(latlng.lng) - pad, toY(latlng.lat) - pad, toX(latlng.lng) + pad, toY(latlng.lat) + pad).forEach(function (f) {
      var q = map.latLngToContainerPoint(toLatLng(s.x[f], s.y[f])), far = Math.hypot(q.x - p.x, q.y - p.y);
      if (self[kind[1]](f) && far < Math.min(least, kind[2])) { least = far; best = [kind[0], f]; }
    });
  });
  return best;
};

var tapPlainly = View.prototype.tap, pointPlainly = View.prototype.point;
View.prototype.tap = function (latlng) {
  var hit = this.circle.hit(latlng);
  if (hit) return this.panels.openMark(hit[0], hit[1]);
  return this.circle.dots ? this.panels.closeCard() : tapPlainly.call(this, latlng);
};

View.prototype.point = function (latlng) {
  if (!this.circle.dots) pointPlainly.call(this, latlng);
  if (this.circle.hit(latlng)) this.map.getContainer().style.cursor = "pointer";
  else if (this.circle.dots || this.pointed < 0) this.map.getContainer().style.cursor = "";
  else this.map.getContainer().style.cursor = "pointer";
};
