// The packed plan becomes typed arrays in the unit square of the Mercator projection.

function bytesOf(base64) {
  var text = atob(base64), bytes = new Uint8Array(text.length);
  for (var i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function inflate(bytes) {
  if (typeof DecompressionStream === "undefined") return Promise.resolve(gunzip(bytes));
  var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer().then(function (b) { return new Uint8Array(b); });
}

function Varints(bytes, start) { this.bytes = bytes; this.at = start; }

Varints.prototype.next = function () {
  var b = this.bytes, value = 0, scale = 1, byte;
  do {
    byte = b[this.at++];
    value += (byte & 127) * scale;
    scale *= 128;
  } while (byte > 127);
  return value % 2 ? -(value + 1) / 2 : value / 2;
};

function toX(longitude) { return (longitude + 180) / 360; }

function toY(latitude) {
  var s = Math.sin(latitude * Math.PI / 180);
  return 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI);
}

function toLatLng(x, y) {
  return L.latLng(Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180 / Math.PI, x * 360 - 180);
}

// A layer: feature f has the parts first[f] … first[f+1], part p the points start[p] … start[p+1].
function Shapes(reader, features, parts, points, corners) {
  var i, made = corners ? points + parts : points;
  this.count = features;
  this.first = new Int32Array(features + 1);
  this.start = new Int32Array(parts + 1);
  this.x = new Float64Array(made);
  this.y = new Float64Array(made);
  for (i = 0; i < features; i++) this.first[i + 1] = this.first[i] + reader.next();
  for (i = 0; i < parts; i++) this.start[i + 1] = this.start[i] + reader.next() + (corners ? 1 : 0);
  var lon = 0, lat = 0, at = 0;
  for (i = 0; i < points; i++) {
    lon += reader.next();
    lat += reader.next();
    this.x[at] = toX(lon / 1e6);
    this.y[at] = toY(lat / 1e6);
    at++;
    // Three corners were packed; the fourth closes the rectangle.
    if (corners && i % 3 === 2) {
      this.x[at] = this.x[at - 3] + this.x[at - 1] - this.x[at - 2];
      this.y[at] = this.y[at - 3] + this.y[at - 1] - this.y[at - 2];
      at++;
    }
  }
  this.measure();
  this.hash();
}

Shapes.prototype.measure = function () {
  var box = this.box = new Float64Array(4 * this.count), all = this.all = [9, 9, -9, -9];
  for (var f = 0; f < this.count; f++) {
    var w = 9, n = 9, e = -9, s = -9, end = this.start[this.first[f + 1]];
    for (var k = this.start[this.first[f]]; k < end; k++) {
      if (this.x[k] < w) w = this.x[k];
      if (this.x[k] > e) e = this.x[k];
      if (this.y[k] < n) n = this.y[k];
      if (this.y[k] > s) s = this.y[k];
    }
    box[4 * f] = w; box[4 * f + 1] = n; box[4 * f + 2] = e; box[4 * f + 3] = s;
    all[0] = Math.min(all[0], w); all[1] = Math.min(all[1], n);
    all[2] = Math.max(all[2], e); all[3] = Math.max(all[3], s);
  }
};

// Features by square: a square holds a handful of them, whatever the size of the city.
Shapes.prototype.hash = function () {
  var side = Math.max(1, Math.min(256, Math.round(Math.sqrt(this.count / 2)))), f, self = this;
  this.side = side;
  this.seen = new Int32Array(this.count);
  this.turn = 0;
  var many = this.many = new Int32Array(side * side + 1), fill;
  function visit(put) {
    for (f = 0; f < self.count; f++) {
      if (self.box[4 * f] > self.box[4 * f + 2]) continue;
      var r = self.squares(self.box[4 * f], self.box[4 * f + 1],
                           self.box[4 * f + 2], self.box[4 * f + 3]);
      for (var b = r[1]; b <= r[3]; b++) for (var a = r[0]; a <= r[2]; a++) put(b * side + a);
    }
  }
  visit(function (c) { many[c + 1]++; });
  for (var c = 0; c < side * side; c++) many[c + 1] += many[c];
  var held = this.held = new Int32Array(many[side * side]);
  fill = many.slice();
  visit(function (q) { held[fill[q]++] = f; });
};

Shapes.prototype.squares = function (w, n, e, s) {
  var a = this.all, side = this.side;
  function place(v, low, high) {
    return Math.max(0, Math.min(side - 1, Math.floor((v - low) / ((high - low) || 1) * side)));
  }
  return [place(w, a[0], a[2]), place(n, a[1], a[3]), place(e, a[0], a[2]), place(s, a[1], a[3])];
};

// Return the features whose box meets a box, in the layer's order.
Shapes.prototype.query = function (w, n, e, s) {
  var out = [], a = this.all, box = this.box;
  if (e < a[0] || w > a[2] || s < a[1] || n > a[3]) return out;
  var r = this.squares(w, n, e, s), turn = ++this.turn;
  for (var row = r[1]; row <= r[3]; row++) {
    for (var c = row * this.side + r[0]; c <= row * this.side + r[2]; c++) {
      for (var k = this.many[c]; k < this.many[c + 1]; k++) {
        var f = this.held[k], q = 4 * f;
        if (this.seen[f] === turn) continue;
        this.seen[f] = turn;
        if (box[q] <= e && box[q + 2] >= w && box[q + 1] <= s && box[q + 3] >= n) out.push(f);
      }
    }
  }
  return out.sort(function (p, q2) { return p - q2; });
};

Shapes.prototype.holds = function (f, px, py) {
  var inside = false, x = this.x, y = this.y;
  for (var p = this.first[f]; p < this.first[f + 1]; p++) {
    for (var k = this.start[p], j = this.start[p + 1] - 1; k < this.start[p + 1]; j = k++) {
      if ((y[k] > py) !== (y[j] > py) &&
          px < (x[j] - x[k]) * (py - y[k]) / (y[j] - y[k]) + x[k]) inside = !inside;
    }
  }
  return inside;
};

// Return the feature under a point, or −1.
Shapes.prototype.under = function (px, py) {
  var near = this.query(px, py, px, py);
  for (var i = 0; i < near.length; i++) if (this.holds(near[i], px, py)) return near[i];
  return -1;
};

Shapes.prototype.rings = function (f) {
  var out = [];
  for (var p = this.first[f]; p < this.first[f + 1]; p++) {
    var ring = [];
    for (var k = this.start[p]; k < this.start[p + 1]; k++) ring.push(toLatLng(this.x[k], this.y[k]));
    out.push(ring);
  }
  return out;
};

Shapes.prototype.bounds = function (f) {
  var q = 4 * f, box = this.box;
  return L.latLngBounds(toLatLng(box[q], box[q + 3]), toLatLng(box[q + 2], box[q + 1]));
};

function unpack(base64) {
  return inflate(bytesOf(base64)).then(function (bytes) {
    var length = bytes[0] + 256 * bytes[1] + 65536 * bytes[2] + 16777216 * bytes[3];
    var plan = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    var reader = new Varints(bytes, 4 + length), layers = {};
    plan.shapes.forEach(function (s) {
      layers[s[0]] = new Shapes(reader, s[1], s[2], s[3], s[4]);
    });
    plan.numbers = plan.numbers.reduce(function (held, n) {
      var row = held[n[0]] = new Float64Array(n[1]);
      for (var i = 0; i < n[1]; i++) row[i] = reader.next();
      return held;
    }, {});
    plan.layers = layers;
    return plan;
  });
}
