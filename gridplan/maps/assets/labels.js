// Names on one screen-wide canvas: each is placed where it fits, or not at all.

var FONTS = '"PingFang SC","Microsoft YaHei","Noto Sans CJK SC","Noto Sans SC","Source Han Sans SC",system-ui,"Segoe UI",Roboto,sans-serif';
var STYLE = {
  community: { font: "700 14px " + FONTS, size: 14, ink: "#16323f", halo: 3.6 },
  grid: { font: "600 11.5px " + FONTS, size: 11.5, ink: "#274856", halo: 3 },
  road: { font: "400 11px " + FONTS, size: 11, ink: "#5b5546", halo: 3 },
  place: { font: "500 11px " + FONTS, size: 11, ink: "#4a5f3a", halo: 3 },
  count: { font: "400 11px " + FONTS, size: 11, ink: "#446472", halo: 3 }
};
var LONGEST = 18;

// A name for the screen: on one line, cut when long, its direction of writing kept to itself.
function shownName(text) {
  var letters = Array.from(String(text).replace(/\s+/g, " ").trim());
  if (!letters.length) return "";
  var cut = letters.length > LONGEST ? letters.slice(0, LONGEST - 1).join("") + "…" : letters.join("");
  return "\u2068" + cut + "\u2069";
}

function Labels(map, plan, painter, texts) {
  this.map = map;
  this.plan = plan;
  this.painter = painter;
  this.texts = texts;
  this.placed = [];
  this.widths = {};
  var pane = map.createPane("names");
  pane.style.zIndex = 450;
  pane.style.pointerEvents = "none";
  this.canvas = L.DomUtil.create("canvas", "leaflet-zoom-hide", pane);
  map.on("moveend resize viewreset", this.draw, this);
  this.names = {
    communities: plan.communities.name.map(shownName),
    grids: plan.grids.name.map(shownName),
    specials: plan.specials ? plan.specials.name.map(shownName) : [],
    roads: plan.roads.name.map(shownName)
  };
  this.order = {
    communities: byRadius(plan.communities.radius), grids: byRadius(plan.grids.radius),
    specials: plan.specials ? byRadius(plan.specials.radius) : []
  };
}

function byRadius(radius) {
  return radius.map(function (r, i) { return i; })
    .sort(function (a, b) { return radius[b] - radius[a] || a - b; });
}

Labels.prototype.width = function (style, text) {
  var key = style.size + text;
  if (!(key in this.widths)) {
    this.pen.font = style.font;
    this.widths[key] = this.pen.measureText(text).width;
  }
  return this.widths[key];
};

// The parts of the screen that panels and buttons cover.
function covered(frame) {
  var out = [];
  document.querySelectorAll("[data-cover]").forEach(function (node) {
    var r = node.getBoundingClientRect();
    if (r.width && r.height) {
      out.push([r.left - frame.left - 4, r.top - frame.top - 4, r.right - frame.left + 4, r.bottom - frame.top + 4]);
    }
  });
  return out;
}

Labels.prototype.draw = function () {
  var size = this.map.getSize(), scale = density(), c = this.canvas;
  if (c.width !== size.x * scale || c.height !== size.y * scale) {
    c.width = size.x * scale;
    c.height = size.y * scale;
    c.style.width = size.x + "px";
    c.style.height = size.y + "px";
  }
  L.DomUtil.setPosition(c, this.map.containerPointToLayerPoint([0, 0]));
  this.pen = c.getContext("2d");
  this.pen.setTransform(scale, 0, 0, scale, 0, 0);
  this.pen.clearRect(0, 0, size.x, size.y);
  this.placed = [];
  if (!this.painter.on.labels) return;
  this.blocked = covered(this.map.getContainer().getBoundingClientRect());
  var zoom = this.map.getZoom(), origin = this.map.project(this.map.containerPointToLatLng([0, 0]), zoom);
  var view = { zoom: zoom, size: 256 * Math.pow(2, zoom), left: origin.x, top: origin.y, w: size.x, h: size.y };
  // Metres to pixels, at the latitude of the middle of the view.
  view.scale = view.size / (40075016.686 * Math.cos(this.map.getCenter().lat * Math.PI / 180));
  if (this.painter.on.communities) this.communities(view);
  if (this.painter.on.grids) this.grids(view);
  if (view.zoom >= 14.5) this.specials(view);
  if (view.zoom >= 17 && this.painter.on.groups) this.groups(view);
  if (view.zoom >= 14 && this.painter.on.roads) this.roads(view);
  this.paint();
};

Labels.prototype.each = function (name, view, visit) {
  var centre = this.plan.layers[name + ".centre"], radius = this.plan[name].radius;
  this.order[name].forEach(function (f) {
    var x = centre.x[f] * view.size - view.left, y = centre.y[f] * view.size - view.top;
    if (x > 0 && y > 0 && x < view.w && y < view.h) visit(f, x, y, radius[f] / 10 * view.scale);
  });
};

Labels.prototype.communities = function (view) {
  var self = this, style = STYLE.community, box = this.plan.layers.communities.box;
  this.each("communities", view, function (f, x, y, radius) {
    var name = self.names.communities[f];
    if (!name || radius < 14) return;
    var wide = self.width(style, name);
    if (wide > Math.max(2 * radius, 0.95 * (box[4 * f + 2] - box[4 * f]) * view.size)) return;
    var lines = [[style, name, wide]], held = self.plan.alone && self.plan.mergers.total[f];
    if (held && radius > 22) {
      var count = fillText(self.texts.unit, { n: countText(held, self.texts) });
      lines.push([STYLE.count, count, self.width(STYLE.count, count)]);
    }
    [0, -1, 1, -2, 2].some(function (step) {
      if (Math.abs(step) * style.size > radius * 0.8) return false;
      return self.place("community", lines, x, y + step * style.size * 0.9, view);
    });
  });
};

Labels.prototype.grids = function (view) {
  var self = this, plan = this.plan, grids = plan.grids, unit = this.texts.unit;
  this.each("grids", view, function (f, x, y, radius) {
    // An old community that stays is named by the new one.
    if (radius < 9 || (plan.alone && plan.mergers.kept[f])) return;
    var name = self.names.grids[f], seq = grids.seq[f] ? String(grids.seq[f]) : "";
    var settled = grids.households[f] ? "" : plan.status[grids.status[f]];
    var count = settled === "special" || settled === "empty" ? "" : fillText(unit, { n: countText((grids.former || grids.households)[f], self.texts) });
    var tries = [[[STYLE.grid, name], [STYLE.count, count]], [[STYLE.grid, name]],
                 [[STYLE.grid, seq], [STYLE.count, count]], [[STYLE.grid, seq]]];
    tries.some(function (lines) {
      if (lines.some(function (l) { return !l[1]; })) return false;
      var sized = lines.map(function (l) { return [l[0], l[1], self.width(l[0], l[1])]; });
      var wide = Math.max.apply(null, sized.map(function (l) { return l[2]; })) / 2;
      var high = sized.length * 7.5, room = radius * radius - wide * wide;
      if (room < high * high) return false;
      var slack = Math.sqrt(room) - high;
      return [0, -1, 1].some(function (way) {
        return self.place("grid", sized, x, y + way * slack, view);
      });
    });
  });
};

Labels.prototype.specials = function (view) {
  var self = this, style = STYLE.place;
  if (!this.plan.specials) return;
  this.each("specials", view, function (f, x, y, radius) {
    var name = self.names.specials[f], wide = name && self.width(style, name);
    // A special grid often bears the name of its place: once is enough.
    var said = self.placed.some(function (p) {
      return p.lines[0][1] === name && Math.hypot(p.x - x, p.y - y) < 200;
    });
    if (!name || said || wide > 2.6 * radius) return;
    [0, 1, -1].some(function (way) {
      return self.place("place", [[style, name, wide]], x, y + way * radius * 0.6, view);
    });
  });
};

// Names of roads, along the straightest stretch in view that is long enough.
Labels.prototype.roads = function (view) {
  var self = this, roads = this.plan.layers.roads, style = STYLE.road, shown = {};
  var ids = roads.query(view.left / view.size, view.top / view.size,
                        (view.left + view.w) / view.size, (view.top + view.h) / view.size);
  ids.sort(function (a, b) { return self.plan.roads.kind[b] - self.plan.roads.kind[a] || a - b; });
  ids.forEach(function (f) {
    var name = self.names.roads[f], level = self.plan.roads.kind[f];
    if (!name || view.zoom < [17, 15.5, 14.5, 14, 14][level]) return;
    var wide = self.width(style, name), at = shown[name] = shown[name] || [];
    straights(roads, f, view, wide + 12).some(function (s) {
      if (at.some(function (p) { return Math.hypot(p[0] - s.x, p[1] - s.y) < 420; })) return false;
      if (!self.place("road", [[style, name, wide]], s.x, s.y, view, s.angle)) return false;
      at.push([s.x, s.y]);
      return false;
    });
  });
};

// Places on a line, from its middle outwards, where it runs straight for so long on the screen.
function straights(layer, f, view, length) {
  var out = [];
  for (var p = layer.first[f]; p < layer.first[f + 1]; p++) {
    var path = walk(layer, p, view);
    for (var i = 0; path.total > length && i * 35 < path.total - length; i++) {
      var middle = path.total / 2 + (i % 2 ? 1 : -1) * Math.ceil(i / 2) * 35;
      var m = path.at(middle);
      if (m[0] < 0 || m[1] < 0 || m[0] > view.w || m[1] > view.h) continue;
      var a = path.at(middle - length / 2), b = path.at(middle + length / 2);
      var off = Math.hypot(m[0] - (a[0] + b[0]) / 2, m[1] - (a[1] + b[1]) / 2);
      if (off > 2.5 || Math.hypot(b[0] - a[0], b[1] - a[1]) < 0.985 * length) continue;
      out.push({ x: m[0], y: m[1], angle: Math.atan2(b[1] - a[1], b[0] - a[0]) || 1e-9 });
    }
  }
  return out;
}

// A line on the screen, to be walked by pixels.
function walk(layer, p, view) {
  var xs = [], ys = [], sums = [0];
  for (var k = layer.start[p]; k < layer.start[p + 1]; k++) {
    xs.push(layer.x[k] * view.size - view.left);
    ys.push(layer.y[k] * view.size - view.top);
    var n = xs.length - 1;
    if (n) sums.push(sums[n - 1] + Math.hypot(xs[n] - xs[n - 1], ys[n] - ys[n - 1]));
  }
  return { total: sums[sums.length - 1], at: function (s) {
    var low = 0, high = sums.length - 1;
    while (high - low > 1) {
      var half = (low + high) >> 1;
      if (sums[half] <= s) low = half;
      else high = half;
    }
    var t = (s - sums[low]) / ((sums[high] - sums[low]) || 1);
    return [xs[low] + t * (xs[high] - xs[low]), ys[low] + t * (ys[high] - ys[low])];
  } };
}

// Take the place if nothing holds it: no other name, no panel, not the edge of the screen.
Labels.prototype.place = function (kind, lines, x, y, view, angle) {
  var turned = angle ? Math.atan(Math.tan(angle)) : 0, wide = Math.max.apply(null, lines.map(function (l) { return l[2]; }));
  var high = lines.reduce(function (sum, l) { return sum + l[0].size * 1.3; }, 0);
  // Chinese beside a steep road stands upright, one character under the other.
  var steep = angle && Math.abs(turned) > 1.1 && /^\u2068?[\u2e80-\u9fff]+\u2069?$/.test(lines[0][1]);
  var c = Math.abs(Math.cos(turned)), s = Math.abs(Math.sin(turned));
  var halfX = (wide * c + high * s) / 2 + 3, halfY = (wide * s + high * c) / 2 + 1;
  var box = [x - halfX, y - halfY, x + halfX, y + halfY];
  if (box[0] < 2 || box[1] < 2 || box[2] > view.w - 2 || box[3] > view.h - 2) return false;
  function clash(other) {
    return box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1];
  }
  if (this.blocked.some(clash) || this.placed.some(function (p) { return clash(p.box); })) return false;
  this.placed.push({ kind: kind, lines: lines, box: box, x: x, y: y, turned: turned, steep: steep });
  return true;
};

Labels.prototype.paint = function () {
  var g = this.pen;
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.lineJoin = "round";
  this.placed.forEach(function (label) {
    if (label.kind === "road") return along(g, label);
    var y = label.box[1] + 1;
    label.lines.forEach(function (l) {
      var style = l[0], middle = y + style.size * 0.65;
      g.font = style.font;
      g.lineWidth = style.halo;
      g.strokeStyle = "rgba(255,255,255,.88)";
      g.strokeText(l[1], label.x, middle);
      g.fillStyle = style.ink;
      g.fillText(l[1], label.x, middle);
      y += style.size * 1.3;
    });
    return undefined;
  });
};

// Write a name along its road.
function along(g, label) {
  var style = label.lines[0][0], text = label.lines[0][1];
  g.font = style.font;
  g.lineWidth = style.halo;
  g.strokeStyle = "rgba(255,255,255,.88)";
  g.fillStyle = style.ink;
  var letters = label.steep ? Array.from(text.replace(/[\u2068\u2069]/g, "")) : [text];
  var step = label.lines[0][2] / letters.length, way = label.turned < 0 ? -1 : 1;
  [0, 1].forEach(function (over) {
    letters.forEach(function (letter, i) {
      var off = (i - (letters.length - 1) / 2) * step;
      g.save();
      g.translate(label.x + off * Math.cos(label.turned) * way, label.y + off * Math.sin(label.turned) * way);
      if (!label.steep) g.rotate(label.turned);
      if (over) g.fillText(letter, 0, 0);
      else g.strokeText(letter, 0, 0);
      g.restore();
    });
  });
}

// The boxes on the page of all names shown now.
Labels.prototype.boxes = function () {
  var frame = this.map.getContainer().getBoundingClientRect();
  return this.placed.map(function (p) {
    return { kind: p.kind, text: p.lines.map(function (l) { return l[1].replace(/[\u2068\u2069]/g, ""); }).join("\n"),
             x: p.box[0] + frame.left, y: p.box[1] + frame.top,
             width: p.box[2] - p.box[0], height: p.box[3] - p.box[1] };
  });
};
