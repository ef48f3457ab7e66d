// Canvas tiles: land, grids by households, buildings, water, roads, borders, from back to front.

var COLOUR = {
  land: "#fbf9f4", water: "#c3dae4", shore: "#a9c8d6", green: "#cfdfc2",
  building: "rgba(58,74,82,.30)", buildingEdge: "rgba(58,74,82,.42)",
  grid: "#4d7482", group: "#4d7482", former: "#7a3b1d", community: "#1d3b4a", casing: "#cfc9bb", road: "#ffffff", major: "#f7e7c0",
  majorCasing: "#d8c493", inner: "#ffffff", rail: "#9b968e",
  ramp: ["#e3eef0", "#c0dae0", "#97c0cb", "#6ba3b4", "#4f8ba0", "#39748b"],
  special: "#e9e4d8", empty: "#f3f0e9"
};
// Status → fill, line and the way its hatch runs.
var MARK = {
  under: ["#f9e3cf", "#c9651b", "up"], over: ["#f3cfc0", "#a8321f", "cross"],
  small: ["#fbeedb", "#c58a1c", "dots"], exclave: ["#fbeedb", "#c58a1c", "down"],
  unproven: ["#f0d9e2", "#8f2d56", "level"], special: ["#ebe6da", "#b9b09b", "fine"],
  empty: ["#f3f0e9", "", ""]
};
var GREENS = { park: 1, green: 1, garden: 1, forest: 1 };
var TILE = 512, HATCH = 8;

function density() { return Math.min(2, Math.max(1, window.devicePixelRatio || 1)); }

// A hatch as a small canvas; its side divides the tile's, so that it runs on across tiles.
function hatch(mark) {
  var scale = density(), c = document.createElement("canvas");
  c.width = c.height = HATCH * scale;
  var g = c.getContext("2d"), kind = mark[2];
  g.scale(scale, scale);
  g.strokeStyle = g.fillStyle = mark[1];
  g.globalAlpha = kind === "fine" ? 0.4 : 0.75;
  g.lineWidth = kind === "fine" ? 0.7 : 1.1;
  g.beginPath();
  if (kind === "up" || kind === "cross" || kind === "fine") line(g, -2, 10, 10, -2, -2, 2, 2, -2, 6, 10, 10, 6);
  if (kind === "down" || kind === "cross") line(g, -2, -2, 10, 10, 6, -2, 10, 2, -2, 6, 2, 10);
  if (kind === "level") line(g, 0, 2, 8, 2, 0, 6, 8, 6);
  if (kind === "dots") {
    g.arc(2, 2, 1, 0, 7); g.fill(); g.beginPath(); g.arc(6, 6, 1, 0, 7); g.fill();
  } else g.stroke();
  return c;
}

function line(g) {
  for (var i = 1; i < arguments.length; i += 4) {
    g.moveTo(arguments[i], arguments[i + 1]);
    g.lineTo(arguments[i + 2], arguments[i + 3]);
  }
}

function Painter(plan) {
  this.plan = plan;
  this.on = { communities: true, grids: true, former: true, groups: true, labels: true, buildings: true, roads: true,
              rail: true, water: true, green: true };
  var steps = plan.steps, self = this, group = this.group = [];
  // Grids by look: the steps of the ramp first, then one group for each status.
  plan.grids.households.forEach(function (n, i) {
    var status = plan.status[plan.grids.status[i]], step = 0;
    if (status !== "ok") return group.push(status);
    while (step < steps.length - 2 && n >= steps[step + 1]) step++;
    return group.push(step);
  });
  this.pattern = {};
  Object.keys(MARK).forEach(function (s) { if (MARK[s][2]) self.pattern[s] = hatch(MARK[s]); });
  this.kind = function (layer, f) { return plan[layer].kind[f]; };
  // The usual radius of a grid in pixels at zoom 0: how much detail a zoom can show.
  var radii = plan.grids.radius.slice().sort(function (a, b) { return a - b; });
  var middle = plan.layers.grids.all, lat = toLatLng(middle[0], (middle[1] + middle[3]) / 2).lat;
  this.perMetre = 256 / (40075016.686 * Math.cos(lat * Math.PI / 180));
  this.radius = radii[radii.length >> 1] / 10 * this.perMetre;
}

Painter.prototype.fill = function (status, g) {
  g.fillStyle = MARK[status][0];
  g.fill("evenodd");
  if (!this.pattern[status]) return;
  g.save();
  var p = g.createPattern(this.pattern[status], "repeat");
  if (p.setTransform) p.setTransform(new DOMMatrix([1 / density(), 0, 0, 1 / density(), 0, 0]));
  g.fillStyle = p;
  g.fill("evenodd");
  g.restore();
};

Painter.prototype.colour = function (i) {
  var group = this.group[i];
  return typeof group === "number" ? COLOUR.ramp[group] : MARK[group][0];
};

Painter.prototype.tile = function (canvas, coords) {
  var scale = density(), g = canvas.getContext("2d"), zoom = coords.z;
  g.scale(scale, scale);
  g.lineJoin = zoom > 13 ? "round" : "bevel";
  g.lineCap = zoom > 13 ? "round" : "butt";
  var v = { g: g, zoom: zoom, size: 256 * Math.pow(2, zoom), left: coords.x * TILE,
            top: coords.y * TILE,
            radius: this.radius * Math.pow(2, zoom) };
  if (this.on.grids) this.grids(v);
  else this.land(v);
  if (this.on.green) this.greens(v);
  if (this.on.water) this.water(v);
  if (this.on.buildings && zoom >= 15) this.buildings(v);
  if (this.on.roads) this.roads(v);
  if (this.on.rail) this.rail(v);
  if (this.on.groups && zoom >= 16.25) this.groups(v);
  if (this.on.grids) this.borders(v);
  if (this.on.former) this.former(v);
  if (this.on.communities) this.outlines(v);
};

Painter.prototype.near = function (layer, v, pad) {
  var s = this.plan.layers[layer];
  return s ? s.query((v.left - pad) / v.size, (v.top - pad) / v.size,
                     (v.left + TILE + pad) / v.size, (v.top + TILE + pad) / v.size) : [];
};

// Trace features. From afar points move to whole pixels and those on the last one's pixel are
// skipped: neighbours share their points, so that no gap opens between them.
Painter.prototype.trace = function (layer, ids, v, closed) {
  var s = this.plan.layers[layer], g = v.g, x = s.x, y = s.y;
  var per = v.zoom > 15 ? 8 : v.zoom > 13 ? 4 : 2;
  g.beginPath();
  for (var i = 0; i < ids.length; i++) {
    for (var p = s.first[ids[i]]; p < s.first[ids[i] + 1]; p++) {
      var lx = NaN, ly = NaN;
      for (var k = s.start[p]; k < s.start[p + 1]; k++) {
        var px = Math.round((x[k] * v.size - v.left) * per) / per;
        var py = Math.round((y[k] * v.size - v.top) * per) / per;
        if (px === lx && py === ly) continue;
        if (lx !== lx) g.moveTo(px, py);
        else g.lineTo(px, py);
        lx = px; ly = py;
      }
      if (closed) g.closePath();
    }
  }
};

// Trace and paint a few features at a time: one path of thousands is many times slower.
Painter.prototype.few = function (layer, ids, v, size, paint) {
  for (var i = 0; i < ids.length; i += size) {
    this.trace(layer, ids.slice(i, i + size), v, true);
    paint.call(this);
  }
};

Painter.prototype.stroke = function (v, colour, width, dash) {
  v.g.strokeStyle = colour;
  v.g.lineWidth = width;
  v.g.setLineDash(dash || []);
  v.g.stroke();
  v.g.setLineDash([]);
};

Painter.prototype.land = function (v, colour) {
  v.g.fillStyle = colour || COLOUR.land;
  this.few("communities", this.near("communities", v, 2), v, 8, function () { v.g.fill("evenodd"); });
};

Painter.prototype.grids = function (v) {
  var groups = {}, self = this;
  this.near("grids", v, 4).forEach(function (i) {
    (groups[self.group[i]] = groups[self.group[i]] || []).push(i);
  });
  // What shines through between two grids is of their colour.
  this.land(v, COLOUR.ramp[1]);
  Object.keys(groups).forEach(function (name) {
    v.g.fillStyle = COLOUR.ramp[+name];
    self.few("grids", groups[name], v, 1, function () {
      if (MARK[name]) self.fill(name, v.g);
      else v.g.fill("evenodd");
    });
  });
  v.groups = groups;
};

Painter.prototype.greens = function (v) {
  var self = this;
  var ids = this.near("specials", v, 2).filter(function (f) { return GREENS[self.kind("specials", f)]; });
  if (!ids.length) return;
  this.trace("specials", ids, v, true);
  v.g.fillStyle = COLOUR.green;
  v.g.fill("evenodd");
};

Painter.prototype.water = function (v) {
  var areas = this.near("water", v, 2), lines = this.near("stream", v, 8);
  if (areas.length) {
    this.trace("water", areas, v, true);
    v.g.fillStyle = COLOUR.water;
    v.g.fill("evenodd");
    this.stroke(v, COLOUR.shore, 0.8);
  }
  if (lines.length) {
    this.trace("stream", lines, v, false);
    this.stroke(v, COLOUR.water, Math.max(1.5, Math.min(9, (v.zoom - 10) * 1.2)));
  }
};

Painter.prototype.buildings = function (v) {
  var ids = this.near("buildings", v, 2);
  if (!ids.length) return;
  this.trace("buildings", ids, v, true);
  v.g.fillStyle = COLOUR.building;
  v.g.fill();
  if (v.zoom >= 16) this.stroke(v, COLOUR.buildingEdge, 0.7);
};

// Width in pixels of a road of each class at a zoom; 0 is not drawn.
function roadWidth(level, zoom) {
  var base = [[16, 0.8], [14, 0.5], [12.5, 0.9], [11.5, 1], [10, 1.1]][level];
  return zoom < base[0] ? 0 : Math.min([3, 6, 8, 9.5, 11][level], base[1] * Math.pow(1.45, zoom - base[0]));
}

Painter.prototype.roads = function (v) {
  var byClass = [[], [], [], [], []], self = this;
  this.near("roads", v, 12).forEach(function (f) { byClass[self.kind("roads", f)].push(f); });
  [0, 1].forEach(function (over) {
    for (var level = 0; level < 5; level++) {
      var width = roadWidth(level, v.zoom);
      if (!width || !byClass[level].length || (level === 0 && !over)) continue;
      self.trace("roads", byClass[level], v, false);
      if (level === 0) self.stroke(v, COLOUR.inner, width, [3, 3]);
      else if (over) self.stroke(v, level > 2 ? COLOUR.major : COLOUR.road, width);
      else self.stroke(v, level > 2 ? COLOUR.majorCasing : COLOUR.casing, width + (width > 2 ? 1.4 : 0.7));
    }
  });
};

Painter.prototype.rail = function (v) {
  var ids = this.near("rail", v, 6);
  if (!ids.length || v.zoom < 11) return;
  this.trace("rail", ids, v, false);
  this.stroke(v, COLOUR.rail, v.zoom >= 14.5 ? 3 : v.zoom >= 13 ? 1.5 : 0.9);
  if (v.zoom >= 14.5) this.stroke(v, "#fff", 1.6, [7, 7]);
};

Painter.prototype.borders = function (v) {
  // Without grids the old communities stand for them, and their borders are a layer of their own.
  if (this.plan.alone) return undefined;
  var self = this, ids = this.near("grids", v, 4);
  // Where grids are a few pixels wide, their colours alone tell them apart.
  var wide = v.zoom >= 14 ? 0 : 5 * 10 / (this.perMetre * Math.pow(2, v.zoom));
  var width = Math.max(0.5, Math.min(1.5, Math.max(v.radius / 20, (v.zoom - 12.5) * 0.45)));
  ids = ids.filter(function (i) { return self.plan.grids.radius[i] > wide; });
  v.g.globalAlpha = v.radius > 14 || v.zoom >= 14 ? 0.6 : 0.35;
  this.few("grids", ids, v, 16, function () { this.stroke(v, COLOUR.grid, width); });
  v.g.globalAlpha = 1;
  Object.keys(v.groups).forEach(function (name) {
    if (!MARK[name] || !MARK[name][1] || name === "special") return;
    if (v.radius > 24 || v.zoom >= 14.5) return self.inset(v, v.groups[name], MARK[name][1], v.radius > 40 ? 5 : 3.4);
    return self.few("grids", v.groups[name], v, 16, function () {
      self.stroke(v, MARK[name][1], v.radius > 12 ? 2 : v.radius > 5 ? 1.2 : 0.8);
    });
  });
  return undefined;
};

// An outline drawn inside its polygon: half of a line twice as wide, the rest clipped away.
Painter.prototype.inset = function (v, ids, colour, width) {
  for (var i = 0; i < ids.length; i++) {
    v.g.save();
    this.trace("grids", [ids[i]], v, true);
    v.g.clip("evenodd");
    this.stroke(v, colour, width);
    v.g.restore();
  }
};

Painter.prototype.outlines = function (v) {
  var width = Math.max(0.6, Math.min(3, Math.max(v.radius / 9, (v.zoom - 10.5) * 0.5)));
  var ids = this.near("communities", v, 8);
  if (v.radius > 10) {
    v.g.globalAlpha = 0.4;
    this.few("communities", ids, v, 16, function () { this.stroke(v, "#fff", width + 2.2); });
    v.g.globalAlpha = 1;
  }
  this.few("communities", ids, v, 16, function () { this.stroke(v, COLOUR.community, width); });
};

var PlanTiles = L.GridLayer.extend({
  initialize: function (painter) {
    L.GridLayer.prototype.initialize.call(this, { tileSize: TILE, keepBuffer: 2, updateWhenZooming: false, updateInterval: 60 });
    this.painter = painter;
  },
  // Tiles wait in line and are painted a few at a time, so that no frame is held up.
  createTile: function (coords, done) {
    var c = document.createElement("canvas");
    c.width = c.height = TILE * density();
    this.line = this.line || [];
    this.line.push([c, coords, done]);
    if (this.line.length === 1) L.Util.requestAnimFrame(this.work, this);
    return c;
  },
  work: function () {
    var end = performance.now() + 6;
    do {
      var next = this.line.shift();
      if (!this._map) return;
      if (next[0].parentNode) this.painter.tile(next[0], next[1]);
      next[2](null, next[0]);
    } while (this.line.length && performance.now() < end);
    if (this.line.length) L.Util.requestAnimFrame(this.work, this);
  },
  // Tiles are drawn for half steps of zoom too, so that nothing is ever stretched at rest.
  _setView: function (center, zoom, noPrune, noUpdate) {
    if (!noUpdate) {
      this._tileZoom = zoom;
      this._updateLevels();
      this._resetGrid();
      this._update(center);
      if (!noPrune) this._pruneTiles();
      this._noPrune = Boolean(noPrune);
    }
    this._setZoomTransforms(center, zoom);
  }
});
