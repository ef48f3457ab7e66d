// The layer Folium adds to its map: unpacks the plan, then draws it and wires the page.

function View(map, plan) {
  var self = this;
  this.map = map;
  this.plan = plan;
  this.painter = new Painter(plan);
  this.tiles = new PlanTiles(this.painter);
  this.labels = new Labels(map, plan, this.painter, plan.text);
  this.mark = L.featureGroup();
  this.hover = L.polygon([], { color: "#16323f", weight: 1.5, opacity: 0.7, fill: false, interactive: false });
  this.panels = new Panels(this);
  this.whole();
  this.tiles.addTo(map);
  this.hover.addTo(map);
  this.mark.addTo(map);
  map.setMinZoom(Math.max(3, map.getZoom() - 1.5));
  // On a phone a card covers half of the map: what it is about must fit into the other half.
  map.setMaxBounds(this.extent().pad(this.narrow() ? 1.6 : 0.6));
  map.on("click", function (e) { self.tap(e.latlng); });
  if (window.matchMedia("(hover: hover)").matches) map.on("mousemove", function (e) { self.point(e.latlng); });
  map.on("zoomend moveend", function () { self.scale(); });
  byId("zoom-in").addEventListener("click", function () { map.zoomIn(1); });
  byId("zoom-out").addEventListener("click", function () { map.zoomOut(1); });
  byId("zoom-all").addEventListener("click", function () { self.whole(); });
  window.addEventListener("resize", function () { map.invalidateSize(); self.labels.draw(); });
  this.scale();
  this.labels.draw();
}

View.prototype.narrow = function () { return window.matchMedia("(max-width: 760px)").matches; };

View.prototype.extent = function () {
  var a = this.plan.layers.communities.all;
  return L.latLngBounds(toLatLng(a[0], a[3]), toLatLng(a[2], a[1]));
};

View.prototype.whole = function () { this.fit(this.extent(), 19, true); };

// Show bounds in the part of the map that no panel covers.
View.prototype.fit = function (bounds, maxZoom, whole) {
  var pad = this.narrow() ? [14, 14] : [36, 36], end = pad.slice(), card = this.panels.card;
  if (!card.hidden && !whole) {
    if (this.narrow()) end[1] += card.offsetHeight;
    else end[0] += card.offsetWidth + 16;
  }
  if (whole && !this.narrow()) end[1] += 16;
  this.map.fitBounds(bounds, { paddingTopLeft: pad, paddingBottomRight: end, maxZoom: maxZoom, animate: false });
};

View.prototype.show = function (layer, on) {
  this.painter.on[layer] = on;
  if (layer !== "labels") this.tiles.redraw();
  this.labels.draw();
};

View.prototype.under = function (latlng) {
  return this.plan.layers.grids.under(toX(latlng.lng), toY(latlng.lat));
};

View.prototype.tap = function (latlng) {
  var i = this.under(latlng);
  if (i < 0) return this.panels.closeCard();
  if (this.plan.alone) {
    var c = this.plan.grids.community[i];
    this.select(this.plan.layers.communities.rings(c));
    return this.panels.openMerger(c);
  }
  this.select(this.plan.layers.grids.rings(i));
  return this.panels.openGrid(i);
};

View.prototype.point = function (latlng) {
  var i = this.under(latlng);
  if (i === this.pointed) return;
  this.pointed = i;
  var all = this.plan.layers, whole = this.plan.alone && i >= 0;
  this.hover.setLatLngs(i < 0 ? [] : whole ? all.communities.rings(this.plan.grids.community[i]) : all.grids.rings(i));
  this.map.getContainer().style.cursor = i < 0 ? "" : "pointer";
};

View.prototype.select = function (rings) {
  this.mark.clearLayers();
  if (!rings) return;
  L.polygon(rings, { color: "#fff", weight: 7, opacity: 0.9, fill: false, interactive: false }).addTo(this.mark);
  L.polygon(rings, { color: "#0e2f3f", weight: 3.5, fill: false, interactive: false }).addTo(this.mark);
};

View.prototype.goGrid = function (i) {
  if (this.narrow()) this.panels.fold(false);
  this.panels.openGrid(i);
  this.select(this.plan.layers.grids.rings(i));
  this.fit(this.plan.layers.grids.bounds(i), 16.5);
};

View.prototype.goCommunity = function (c) {
  var p = this.plan, ids = [];
  p.grids.community.forEach(function (owner, i) { if (owner === c) ids.push(i); });
  if (this.narrow()) this.panels.fold(false);
  if (p.alone) this.panels.openMerger(c);
  else this.panels.openPlace("community", p.communities.name[c] || p.communities.id[c], ids,
                             [this.panels.scores(p.communities.scores, c), this.panels.gap(c),
                              this.panels.postsOf(c), this.panels.mergedFrom(c)]);
  this.select(p.layers.communities.rings(c));
  this.fit(p.layers.communities.bounds(c), 17);
};

View.prototype.goPlace = function (k) {
  var p = this.plan.places, b = p.box[k];
  if (this.narrow()) this.panels.fold(false);
  this.panels.openPlace(p.kind[k], p.name[k], p.grids[k]);
  var bounds = L.latLngBounds([b[1] / 1e6, b[0] / 1e6], [b[3] / 1e6, b[2] / 1e6]);
  this.select([bounds.getSouthWest(), bounds.getNorthWest(), bounds.getNorthEast(), bounds.getSouthEast()]);
  this.fit(bounds, 17);
};

// A scale bar of a round length.
View.prototype.scale = function () {
  var size = this.map.getSize(), y = size.y / 2, map = this.map;
  var metres = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([100, y]));
  if (!metres) return;
  var power = Math.pow(10, Math.floor(Math.log(metres) / Math.LN10)), first = metres / power;
  var length = power * (first >= 5 ? 5 : first >= 2 ? 2 : 1), box = byId("scale");
  box.firstElementChild.style.width = Math.round(100 * length / metres) + "px";
  box.lastElementChild.textContent = length >= 1000 ? length / 1000 + " km" : length + " m";
};

gridplan.PlanLayer = L.Layer.extend({
  initialize: function (block) { this.block = block; },
  onAdd: function (map) {
    gridplan.ready = unpack(byId(this.block).textContent.trim()).then(function (plan) {
      var view = new View(map, plan);
      gridplan.map = map;
      gridplan.labels = function () { return view.labels.boxes(); };
      gridplan.centre = function (i) {
        var c = plan.layers["grids.centre"];
        return map.latLngToContainerPoint(toLatLng(c.x[i], c.y[i]));
      };
      return new Promise(function (shown) {
        view.tiles.once("load", function () {
          document.documentElement.className = "js ready";
          view.labels.draw();
          shown(true);
        });
      });
    }).catch(function (error) {
      var wait = byId("wait");
      wait.hidden = false;
      wait.textContent = byId("wait").dataset.tooOld;
      document.documentElement.className = "";
      throw error;
    });
    return this;
  },
  onRemove: function () {}
});
