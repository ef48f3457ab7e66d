// Patrols on the canvas: zones, required streets, and each route on its side of the street.

var PASS_RAMP = ["#b3c7cf", "#86aebd", "#558da3", "#2d6a84", "#123f57"];
var PATROL = { zone: "#33475b", passed: "rgba(30,56,70,.17)", waiting: "#bb9350", lacking: "#b02a18", idle: "#8a979c", station: "#14272f" };

var tileBefore = Painter.prototype.tile;
Painter.prototype.tile = function (canvas, coords) {
  var p = patrolShown, on = this.on;
  if (!p || !p.on) return tileBefore.call(this, canvas, coords);
  this.on = Object.assign({}, on, { grids: false, groups: false, former: false, communities: on.communities && !this.zoned(p) });
  tileBefore.call(this, canvas, coords);
  this.on = on;
  var v = { g: canvas.getContext("2d"), zoom: coords.z, size: 256 * Math.pow(2, coords.z), left: coords.x * TILE, top: coords.y * TILE };
  if (on.zones) this.zones(v, p);
  this.required(v, p);
  if (p.routing) this.routes(v, p);
  if (p.routing && on.stops) this.stops(v, p);
  return undefined;
};

// Whether zones of the tier stand in for communities.
Painter.prototype.zoned = function (p) { return this.on.zones && p.told.zones.tier.indexOf(p.tier) >= 0; };

Painter.prototype.zones = function (v, p) {
  var self = this, g = v.g, ids = this.near("patrol.zones", v, 6).filter(function (z) { return p.told.zones.tier[z] === p.tier; });
  if (!ids.length) return;
  if (p.routing) ids.forEach(function (z) {
    var mine = p.routes.filter(function (k) { return p.told.teams.zone[p.told.routes.team[k]] === z; });
    if (mine.length !== 1 || !p.isShown(mine[0])) return;
    self.trace("patrol.zones", [z], v, true);
    g.globalAlpha = 0.09;
    g.fillStyle = p.colour(mine[0]);
    g.fill("evenodd");
    g.globalAlpha = 1;
  });
  this.trace("patrol.zones", ids, v, true);
  this.stroke(v, "rgba(255,255,255,.85)", 4.5);
  this.stroke(v, PATROL.zone, 1.7, [9, 4]);
};

function routeWidth(zoom) { return Math.max(1.5, Math.min(4, (zoom - 10.8) * 0.85)); }

Painter.prototype.required = function (v, p) {
  var width = routeWidth(v.zoom), near = this.near("patrol.streets", v, 10), streets = p.told.streets, self = this;
  if (!p.routing) {
    var mine = near.filter(function (q) { return streets.tier[q] === p.tier && streets.passes[q] > 0; });
    this.trace("patrol.streets", mine, v, false);
    this.stroke(v, "#fff", width + 2.6);
    PASS_RAMP.forEach(function (colour, step) {
      var ids = mine.filter(function (q) { return passStep(streets.passes[q]) === step; });
      if (!ids.length) return;
      self.trace("patrol.streets", ids, v, false);
      self.stroke(v, colour, width * (0.75 + 0.14 * step));
    });
    return;
  }
  function draw(kind, colour, wide, dash) {
    var here = near.filter(function (q) { return p.kinds[q] === kind; });
    if (!here.length) return;
    self.trace("patrol.streets", here, v, false);
    if (dash) self.stroke(v, "rgba(255,255,255,.8)", wide + 1.4);
    self.stroke(v, colour, wide, dash);
  }
  draw("passed", PATROL.passed, width * 2 + 5);
  draw("waiting", PATROL.waiting, Math.max(1.1, width * 0.42), [5, 4]);
  draw("lacking", PATROL.lacking, Math.max(1.8, width * 0.75), [3, 3]);
};

function passStep(passes) { return Math.max(0, Math.min(PASS_RAMP.length, passes) - 1); }

Painter.prototype.routes = function (v, p) {
  var self = this, width = routeWidth(v.zoom) + (p.team < 0 ? 0 : 0.7);
  p.routes.slice().sort(function (a, b) { return p.isShown(a) - p.isShown(b) || b - a; }).forEach(function (k) {
    var line = p.line(k), shown = p.isShown(k);
    if (!self.way(v, line, width)) return;
    v.g.globalAlpha = shown ? 0.92 : 0.14;
    if (shown) self.stroke(v, "rgba(255,255,255,.9)", width + 1.8);
    self.stroke(v, p.colour(k), width);
    v.g.globalAlpha = 1;
    if (shown && v.zoom >= (p.team < 0 ? 13.25 : 12.25)) self.arrows(v, line, width, p.colour(k));
  });
};

// How far right of the middle of the street a lane is drawn, in pixels.
function laneOffset(lane, width, zoom) {
  return (lane + 0.5) * (width + 1.5) * Math.max(0, Math.min(1, (zoom - 12.5) / 1.5));
}

// Trace a route where it meets the tile; false where it does not.
Painter.prototype.way = function (v, line, width) {
  var g = v.g, pad = 24, down = false, any = false, n = line.lane.length, last = null;
  if (line.box[2] * v.size < v.left - pad || line.box[0] * v.size > v.left + TILE + pad || line.box[3] * v.size < v.top - pad || line.box[1] * v.size > v.top + TILE + pad) return false;
  function at(i) { return [line.x[i] * v.size - v.left, line.y[i] * v.size - v.top]; }
  g.beginPath();
  var a = n ? at(0) : null, b, off;
  for (var i = 0; i < n; i++, a = b) {
    b = at(i + 1);
    if (Math.max(a[0], b[0]) < -pad || Math.min(a[0], b[0]) > TILE + pad || Math.max(a[1], b[1]) < -pad || Math.min(a[1], b[1]) > TILE + pad) {
      down = false;
      continue;
    }
    var far = Math.hypot(b[0] - a[0], b[1] - a[1]), now = [-(b[1] - a[1]) / far, (b[0] - a[0]) / far];
    off = laneOffset(line.lane[i], width, v.zoom);
    if (!down) g.moveTo(a[0] + now[0] * off, a[1] + now[1] * off);
    else join(g, a, last, now, off);
    if (i === n - 1 || outside(i + 1)) g.lineTo(b[0] + now[0] * off, b[1] + now[1] * off);
    last = [now[0], now[1], off];
    down = any = true;
  }
  return any;
  function outside(k) {
    var c = at(k), d = at(k + 1);
    return Math.max(c[0], d[0]) < -pad || Math.min(c[0], d[0]) > TILE + pad || Math.max(c[1], d[1]) < -pad || Math.min(c[1], d[1]) > TILE + pad;
  }
};

// Go round a corner: in one point where the lane stays, else across from side to side.
function join(g, at, last, now, off) {
  var dot = last[0] * now[0] + last[1] * now[1];
  if (last[2] === off && dot > -0.4) {
    g.lineTo(at[0] + (last[0] + now[0]) * off / (1 + dot), at[1] + (last[1] + now[1]) * off / (1 + dot));
    return;
  }
  g.lineTo(at[0] + last[0] * last[2], at[1] + last[1] * last[2]);
  g.lineTo(at[0] + now[0] * off, at[1] + now[1] * off);
}

// Arrows at even distances from the start of the route, so that they run on from tile to tile.
Painter.prototype.arrows = function (v, line, width, colour) {
  eachArrow(line, v, 84, function (x, y, dx, dy, lane) {
    var off = laneOffset(lane, width, v.zoom);
    x += -dy * off;
    y += dx * off;
    if (x > -12 && y > -12 && x < TILE + 12 && y < TILE + 12) arrow(v.g, x, y, dx, dy, width + 1.6, colour);
  });
};

// Visit places along a line with the direction of travel there, leaving out sharp corners.
function eachArrow(line, v, spacing, visit) {
  var total = line.sum[line.sum.length - 1] * v.size, i = 0, reach = 5;
  function at(s, from) {
    var k = from;
    while (k < line.lane.length - 1 && line.sum[k + 1] * v.size < s) k++;
    while (k > 0 && line.sum[k] * v.size > s) k--;
    var t = (s / v.size - line.sum[k]) / (line.sum[k + 1] - line.sum[k]);
    return [(line.x[k] + t * (line.x[k + 1] - line.x[k])) * v.size - v.left, (line.y[k] + t * (line.y[k + 1] - line.y[k])) * v.size - v.top, k];
  }
  for (var s = spacing / 2; s < total - reach; s += spacing) {
    var middle = at(s, i), a = at(s - reach, middle[2]), b = at(s + reach, middle[2]);
    i = middle[2];
    var dx = b[0] - a[0], dy = b[1] - a[1], far = Math.hypot(dx, dy);
    if (far > 1.6 * reach) visit(middle[0], middle[1], dx / far, dy / far, line.lane[i]);
  }
}

function arrow(g, x, y, dx, dy, size, colour) {
  g.beginPath();
  g.moveTo(x + dx * size * 1.25, y + dy * size * 1.25);
  g.lineTo(x - dx * size * 0.85 - dy * size, y - dy * size * 0.85 + dx * size);
  g.lineTo(x - dx * size * 0.4, y - dy * size * 0.4);
  g.lineTo(x - dx * size * 0.85 + dy * size, y - dy * size * 0.85 - dx * size);
  g.closePath();
  g.lineJoin = "round";
  g.lineWidth = 2.2;
  g.strokeStyle = "#fff";
  g.stroke();
  g.fillStyle = colour;
  g.fill();
}

function stopSize(zoom) { return Math.max(2, Math.min(5, (zoom - 11) * 1.1)); }

Painter.prototype.spots = function (layer, v, pad, visit) {
  var s = this.plan.layers[layer];
  this.near(layer, v, pad).forEach(function (f) { visit(f, s.x[f] * v.size - v.left, s.y[f] * v.size - v.top); });
};

Painter.prototype.stops = function (v, p) {
  var g = v.g, size = stopSize(v.zoom);
  this.spots("patrol.stops", v, 14, function (f, x, y) {
    var here = (p.visited[f] || []).filter(function (h) { return p.isShown(h[0]); }), lacks = p.lacking[STOP][f];
    // Of a team that is shown alone its own zone matters.
    g.globalAlpha = p.isElsewhere(f) ? 0.3 : 1;
    if (lacks && (here.length || p.isMine(f))) ring(g, x, y, size + (v.zoom < 14.5 ? 2 : 3.5), PATROL.lacking, v.zoom < 14.5 ? 1.6 : 2.2);
    if (here.length) dot(g, x, y, size, p.colour(here[0][0]));
    else if (p.isMine(f)) hollow(g, x, y, size - 0.6);
    g.globalAlpha = 1;
  });
  this.spots("patrol.stations", v, 14, function (f, x, y) { if (p.isManned(f)) station(g, x, y, Math.max(3.5, Math.min(6.5, (v.zoom - 9.5) * 1.3))); });
};

// A stop that the tier's teams go to: its tier is blank, or that one.
Patrol.prototype.isMine = function (f) { var t = this.told.stops.tier[f]; return t < 0 || t === this.tier; };

Patrol.prototype.isElsewhere = function (f) {
  var zone = this.told.stops.zone[f], mine = this.team < 0 ? -1 : this.told.teams.zone[this.team];
  return zone >= 0 && mine >= 0 && zone !== mine;
};

Patrol.prototype.isManned = function (f) {
  var p = this;
  return this.routes.some(function (k) { return p.isShown(k) && p.told.teams.station[p.told.routes.team[k]] === f; });
};

function dot(g, x, y, size, colour) {
  g.beginPath();
  g.arc(x, y, size, 0, 7);
  g.fillStyle = colour;
  g.fill();
  g.lineWidth = size > 3 ? 1.6 : 0.9;
  g.strokeStyle = "#fff";
  g.stroke();
}

function hollow(g, x, y, size) {
  dot(g, x, y, size, "#fff");
  ring(g, x, y, size, PATROL.idle, 1.4);
}

function ring(g, x, y, size, colour, width) {
  g.beginPath();
  g.arc(x, y, size, 0, 7);
  g.lineWidth = width;
  g.strokeStyle = colour;
  g.stroke();
}

function station(g, x, y, size) {
  g.fillStyle = "#fff";
  g.fillRect(x - size - 1.6, y - size - 1.6, 2 * size + 3.2, 2 * size + 3.2);
  g.fillStyle = PATROL.station;
  g.fillRect(x - size, y - size, 2 * size, 2 * size);
}
