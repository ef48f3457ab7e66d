// The service circle beside the map: what to show, the worst gaps, bars by category, cards.

var wireStaffingPlainly = Panels.prototype.wireStaffing;
Panels.prototype.wireStaffing = function () {
  var view = this.view, c = view.circle = view.plan.circle.shown = circleShown = new Circle(view);
  view.painter.on.facilities = view.painter.on.areas = true;
  wireStaffingPlainly.call(this);
  c.box = byId("by-circle");
  if (c.dots) COLOUR.ramp = SHARE_RAMP;
  this.showCircle();
};

Panels.prototype.changeCircle = function (name, value) {
  var c = this.view.circle;
  c[name] = value;
  this.showCircle();
  if (c.dots) { this.view.tiles.redraw(); this.view.labels.draw(); } else this.view.colourBy("circle");
  if (this.open && !this.card.hidden) this.open();
};

Panels.prototype.showCircle = function () {
  var self = this, c = this.view.circle, told = c.told, t = told.text, box = c.box, focus = document.activeElement && document.activeElement.id;
  box.textContent = "";
  if (told.walkers.length > 1) box.appendChild(this.choices("walkers", t.of_whom, told.walkers, c.walker, function (k) { self.changeCircle("walker", k); }));
  if (told.altered.length) box.appendChild(this.choices("states", t.state, [t.before, t.after], c.state, function (k) { self.changeCircle("state", k); }));
  box.appendChild(this.chooser());
  box.appendChild(make("h2", "", c.theme ? t.share_of : c.dots ? t.mean_of_points : t.mean_of));
  box.appendChild(this.shareRamp());
  box.appendChild(this.circleKeys());
  this.gainWords().forEach(function (node) { box.appendChild(node); });
  if (!c.dots) this.worstGaps().forEach(function (node) { box.appendChild(node); });
  box.appendChild(make("h2", "", t.by_category));
  box.appendChild(this.circleBars());
  box.appendChild(make("p", "note", t.completeness_means + (c.dots ? "" : " " + fillText(t.lacks_means, { n: told.lacking }))));
  if (focus === "theme") byId("theme").focus();
};

Panels.prototype.chooser = function () {
  var self = this, c = this.view.circle, told = c.told, select = make("select"), city = function (k) { return shareText(c.pick("city", k)[0], self.texts); };
  select.id = "theme";
  select.setAttribute("aria-label", told.text.show);
  [told.text.everything].concat(told.categories).forEach(function (name, k) {
    var option = make("option", "", name + "  ·  " + city(k));
    option.value = k;
    option.selected = k === c.theme;
    select.appendChild(option);
  });
  select.addEventListener("change", function () { self.changeCircle("theme", +select.value); });
  return select;
};

Panels.prototype.shareRamp = function () {
  var list = make("ul", "ramp shares"), ends = ["0"].concat(SHARE_STEPS.map(String), "100 %");
  SHARE_RAMP.forEach(function (colour, k) {
    var key = make("i", "key");
    key.style.background = colour;
    list.appendChild(make("li", "", undefined, key, make("span", "", k < 5 ? ends[k] + "–" + ends[k + 1] : "≥ 95 %")));
  });
  return list;
};

// The signs that are on the map now, drawn by the same hand.
Panels.prototype.circleKeys = function () {
  var c = this.view.circle, told = c.told, t = told.text, list = make("ul", "signs"), layers = this.plan.layers;
  function add(word, draw) {
    var canvas = make("canvas", "key");
    canvas.width = 56;
    canvas.height = 36;
    var g = canvas.getContext("2d");
    g.scale(2, 2);
    draw(g);
    list.appendChild(make("li", "", undefined, canvas, make("span", "", word)));
  }
  function some(layer, test) { for (var f = 0; f < layers[layer].count; f++) if (test(f)) return true; return false; }
  if (some("facilities", function (f) { return c.drawn(f) && !told.facilities.new[f]; })) add(t.facility, function (g) { facility(g, 14, 9, 5); });
  if (some("sites", function (f) { return c.sited(f); })) add(t.proposed, function (g) { star(g, 14, 9.5, 8); });
  if (told.areas.of.indexOf(c.theme - 1) >= 0) add(t.area, function (g) {
    g.setLineDash([6, 3]);
    g.strokeStyle = AREA;
    g.lineWidth = 1.8;
    g.beginPath();
    g.moveTo(1, 9);
    g.lineTo(27, 9);
    g.stroke();
  });
  if (!c.dots && c.pick("gaps").length) add(t.gap, function (g) { badge(g, 14, 9, 7.5, "1"); });
  if (c.pick(c.dots ? "demand" : "grids").some(function (v) { return v < 0; })) add(t.unknown, function (g) { g.fillStyle = MARK.unknown[0]; g.fillRect(0, 1, 28, 16); g.strokeStyle = "#d9d3c6"; g.strokeRect(0.5, 1.5, 27, 15); });
  return list;
};

// What the proposed sites gain and what is possible, for the category shown or for each.
Panels.prototype.gainWords = function () {
  var self = this, c = this.view.circle, told = c.told, t = told.text;
  if (!c.proposing()) return [];
  return told.sites.totals.filter(function (s) { return c.theme === 0 || s[0] === c.theme - 1; }).map(function (s) {
    var words = fillText(s[2] === -2 ? t.gain_alone : t.gain, { n: countText(s[1], self.texts), most: countText(s[2], self.texts) });
    return make("p", "gain", undefined, make("b", "", undefined, own(told.categories[s[0]])), make("span", "", words));
  });
};

// The categories that a grid or community lacks, by name.
Panels.prototype.lacks = function (scope, i) {
  var c = this.view.circle, least = c.told.lacking;
  return c.told.categories.filter(function (_, k) { var v = c.pick(scope, k + 1)[i]; return v >= 0 && v % 200 < least; });
};

Panels.prototype.lackWords = function (names, most) {
  var t = this.view.circle.told.text;
  if (!names.length) return t.lacks_nothing;
  var shown = names.slice(0, most).map(function (n) { return "\u2068" + n + "\u2069"; }).join(t.comma);
  return fillText(t.lacks, { names: names.length > most ? fillText(t.and_more, { names: shown, n: names.length - most }) : shown });
};

Panels.prototype.worstGaps = function () {
  var self = this, c = this.view.circle, t = c.told.text, gaps = c.pick("gaps"), list = make("ol", "worst");
  if (!gaps.length) return [make("h2", "", t.gaps), make("p", "none", t.no_gaps)];
  gaps.forEach(function (gap, k) {
    var i = gap[0], b = button("", function () { self.view.goGrid(i); });
    b.appendChild(make("i", "", String(k + 1)));
    b.appendChild(make("b", "where", undefined, own(self.communityName(i) + " · " + self.gridName(i))));
    b.appendChild(make("em", "", shareText(c.pick("grids")[i], self.texts)));
    b.appendChild(make("span", "", c.theme ? fillText(t.missing, { n: countText(gap[1], self.texts) }) : self.lackWords(self.lacks("grids", i), 3)));
    list.appendChild(make("li", "", undefined, b));
  });
  return [make("h2", "", t.gaps), list];
};

Panels.prototype.bar = function (name, code, target, low) {
  var fill = make("i"), bar = make("span", "bar", undefined, fill), step = shareStep(code);
  fill.style.width = code < 0 ? 0 : code % 200 + "%";
  fill.style.background = step < 0 ? "" : ["#d9a13b", "#c9b45c", "#8fbdb2", "#6ba3b4", "#4f8ba0", "#336f89"][step];
  if (target !== null && target !== undefined) {
    var tick = make("u");
    tick.style.left = target + "%";
    tick.title = fillText(this.view.circle.told.text.target, { share: target + " %" });
    bar.appendChild(tick);
  }
  return [make("span", "name", undefined, own(name)), bar, make("span", "points" + (low ? " low" : ""), shareText(code, this.texts))];
};

// All categories of the city as bars; each chooses its theme.
Panels.prototype.circleBars = function () {
  var self = this, c = this.view.circle, told = c.told, list = make("ul", "bars");
  told.categories.forEach(function (name, k) {
    var code = c.pick("city", k + 1)[0], target = told.targets[k + 1];
    var b = button("", function () { self.changeCircle("theme", c.theme === k + 1 ? 0 : k + 1); byId("panel-body").scrollTop = 0; });
    b.setAttribute("aria-pressed", String(c.theme === k + 1));
    self.bar(name, code, target, target !== null && code >= 0 && code % 200 < target).forEach(function (n) { b.appendChild(n); });
    list.appendChild(make("li", "", undefined, b));
  });
  return list;
};

// The circle of a grid or a community, for its card.
Panels.prototype.circleOf = function (scope, i) {
  var self = this, c = this.view.circle, told = c.told, t = told.text, list = make("ul", "bars"), whole = c.pick(scope, 0)[i];
  if (c.dots || whole === -2) return null;
  var names = this.lacks(scope, i);
  told.categories.forEach(function (name, k) {
    var code = c.pick(scope, k + 1)[i];
    if (code === -2) return;
    var row = make("li", c.theme === k + 1 ? "at" : "");
    self.bar(name, code, null, code >= 0 && code % 200 < told.lacking).forEach(function (n) { row.appendChild(n); });
    list.appendChild(row);
  });
  var title = make("h3", "", told.walkers.length > 1 ? t.completeness + " · " + told.walkers[c.walker] : t.completeness);
  var number = make("p", "reach", undefined, make("strong", "", shareText(whole, this.texts)),
                    make("span", names.length ? "lacks" : "", whole === -1 ? "" : this.lackWords(names, 4)));
  number.title = fillText(t.lacks_means, { n: told.lacking });
  return make("section", "circle", undefined, title, number, list);
};

function together(a, b) {
  var both = document.createDocumentFragment();
  [a, b].forEach(function (node) { if (node) both.appendChild(node); });
  return both;
}

var staffingPlainly = Panels.prototype.staffing, postsPlainly = Panels.prototype.postsOf, openGridPlainly = Panels.prototype.openGrid;
Panels.prototype.staffing = function (i) { return together(this.circleOf("grids", i), staffingPlainly.call(this, i)); };
Panels.prototype.postsOf = function (k) { return together(this.circleOf("communities", k), postsPlainly.call(this, k)); };
// The card of a grid follows the walker and the state that are chosen.
Panels.prototype.openGrid = function (i) {
  this.open = function () { openGridPlainly.call(this, i); };
  openGridPlainly.call(this, i);
};

var openPlacePlainly = Panels.prototype.openPlace, closeCardPlainly = Panels.prototype.closeCard;
Panels.prototype.openPlace = function () { this.open = null; openPlacePlainly.apply(this, arguments); };
Panels.prototype.closeCard = function () { this.open = null; closeCardPlainly.call(this); };

// The card of a facility or a site.
Panels.prototype.openMark = function (layer, f) {
  var self = this, c = this.view.circle, told = c.told, t = told.text, kind, title, body = [];
  this.open = null;
  this.view.select(null);
  if (layer === "sites") {
    kind = t.proposed;
    title = fillText(t.site, { n: told.sites.rank[f] });
    body.push(make("p", "reason", fillText(t.gain_alone, { n: countText(told.sites.gain[f], this.texts) })));
    body.push(make("p", "of", undefined, own(told.categories[told.sites.of[f]])));
  } else {
    kind = told.facilities.new[f] ? t.proposed : t.facility;
    title = told.facilities.name[f] || told.categories[told.facilities.of[f][0]];
    told.facilities.of[f].forEach(function (k) { body.push(make("p", "of", undefined, own(self.view.circle.told.categories[k]))); });
  }
  this.openCard(title, make("p", "kicker", kind), body);
};

// Facilities can be searched for by name; what stands in for grids where there are none cannot.
var indexPlainly = Panels.prototype.index;
Panels.prototype.index = function () {
  if (this.entries) return this.entries;
  var self = this, view = this.view, c = view.circle, told = c.told, out = indexPlainly.call(this), s = this.plan.layers.facilities;
  if (c.dots) out = this.entries = out.filter(function (e) { return e.kind !== "grid" && e.kind !== "community"; });
  told.facilities.name.forEach(function (name, f) {
    var more = told.facilities.of[f].map(function (k) { return told.categories[k]; }).join(told.text.comma);
    if (name) out.push({ rank: 4, kind: "facility", name: name, more: more, key: name.toLowerCase(), text: (name + " " + more).toLowerCase(), go: function () {
      if (view.narrow()) self.fold(false);
      self.changeCircle("theme", told.facilities.of[f][0] + 1);
      if (told.facilities.new[f] && told.altered.length) self.changeCircle("state", 1);
      self.openMark("facilities", f);
      view.fit(L.latLngBounds([toLatLng(s.x[f], s.y[f])]), 16.5);
    } });
  });
  this.texts.facility = told.text.facility;
  return out;
};
