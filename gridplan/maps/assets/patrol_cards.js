// Cards of routes, stops, streets, stations and zones; taps and searches that lead to them.

var tapBefore = View.prototype.tap, pointBefore = View.prototype.point;
View.prototype.tap = function (latlng) {
  var p = this.patrol, hit, cards = { stops: "openStop", stations: "openStation", route: "openRoute", street: "openStreet", zone: "openZone" };
  if (!p.on) { this.panels.again = null; return tapBefore.call(this, latlng); }
  hit = p.hit(latlng);
  // A tap beside the route that is shown alone brings the others back.
  if (p.team >= 0 && (!hit || hit[0] === "zone")) { this.panels.closeCard(); return this.panels.changePatrol({ team: -1 }); }
  return hit ? this.panels[cards[hit[0]]](hit[1]) : this.panels.closeCard();
};

View.prototype.point = function (latlng) {
  if (!this.patrol.on) return pointBefore.call(this, latlng);
  this.hover.setLatLngs([]);
  this.pointed = -1;
  this.map.getContainer().style.cursor = this.patrol.hit(latlng) ? "pointer" : "";
  return undefined;
};

var closeBefore = Panels.prototype.closeCard;
Panels.prototype.closeCard = function () { this.again = null; closeBefore.call(this); };

// Show a route alone, the whole of it.
Panels.prototype.goRoute = function (k) {
  var view = this.view;
  if (view.narrow()) this.fold(false);
  this.openRoute(k);
  view.fit(view.patrol.bounds(k), 16.5);
};

Panels.prototype.openRoute = function (k) {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, r = told.routes, team = r.team[k], teams = told.teams, visits = p.visits[k];
  this.again = null;
  if (p.team !== team) this.changePatrol({ team: team });
  this.view.select(null);
  var kicker = make("p", "kicker", undefined, make("i", "swatch"), document.createTextNode([t["tier_" + told.tiers[teams.tier[team]]], t["mode_" + told.modes[r.mode[k]]], teams.members[team] && fillText(t.n_members, { n: teams.members[team] })].filter(Boolean).join(" · ")));
  kicker.firstChild.style.background = p.colour(k);
  var number = make("p", "number", undefined, make("strong", "", kmText(r.metres[k])), make("span", "", fillText(t.km, { n: "" }).trim()), make("em", "", hoursText(r.minutes[k], t)));
  var stops = visits.filter(function (v) { return v.kind === STOP; }).length, day = told.days[r.day[k]];
  var rows = make("dl", "rows", undefined, this.row(t.shift, (day[1] + " " + day[0]).trim() + " · " + told.shifts[r.shift[k]]),
    teams.zone[team] < 0 ? null : this.row(t.zone, told.zones.name[teams.zone[team]]),
    teams.station[team] < 0 ? null : this.row(t.station, told.stations.name[teams.station[team]]));
  var passes = visits.filter(function (v) { return v.kind === STREET; }).length;
  this.openCard(teams.id[team], kicker, [number, make("p", "split", [fillText(t.of_required, { required: kmText(r.required[k]), between: kmText(Math.max(0, r.metres[k] - r.required[k])) }),
    stops && fillText(t.n_stops, { n: stops }), passes && fillText(t.n_passes, { n: passes })].filter(Boolean).join(" · ")), rows,
    visits.length ? make("h3", "", t.order) : null, visits.length ? this.orderList(k) : null]);
  this.again = function () { var now = p.chosen(); if (now === undefined || now < 0) self.closeCard(); else if (now !== k) self.openRoute(now); };
};

// Stops by their numbers; the streets between them together on one line.
Panels.prototype.orderList = function (k) {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, list = make("ol", "order"), colour = p.colour(k);
  function item(cls, mark, name, more, time, act) {
    var key = make("i", "", mark), words = make(act ? "button" : "span", "name", undefined, own(name));
    key.style.background = colour;
    if (act) { words.type = "button"; words.addEventListener("click", act); }
    if (more) words.appendChild(make("small", "", more));
    list.appendChild(make("li", cls, undefined, key, words, make("time", "", time)));
  }
  p.legs(k).forEach(function (leg) {
    var band = bandText(leg.quarter, t), mark = leg.number ? String(leg.number) : "";
    if (leg.kind === STOP) return item("", mark, told.stops.name[leg.of], leg.stay ? fillText(t.stay, { n: leg.stay }) : "", band, goStop(leg.of));
    if (leg.kind === REST) return item("way", "", leg.of ? t.free : t.break, leg.stay ? fillText(t.minutes, { n: leg.stay }) : "", band);
    var shown = leg.names.slice(0, 4).map(function (n) { return "\u2068" + n + "\u2069"; }).join(" · ") + (leg.names.length > 4 ? " …" : "");
    return item(mark ? "" : "way", mark, shown, fillText(t.n_passes, { n: leg.passes }), band);
  });
  return list;
  function goStop(f) { return function () { self.goStop(f); }; }
};

// Who comes on the day shown, in every shift: route, quarter of an hour and stay.
Panels.prototype.comings = function (kind, of) {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, found = [], list = make("ul", "comings");
  p.held(p.day, -1, -1).forEach(function (k) {
    p.visits[k].forEach(function (v) { if (v.kind === kind && v.of === of) found.push([k, v]); });
  });
  found.sort(function (a, b) { return a[1].quarter - b[1].quarter || a[0] - b[0]; });
  found.slice(0, 40).forEach(function (c) {
    var r = told.routes, b = button("", function () { self.changePatrol({ tier: told.teams.tier[r.team[c[0]]] }); self.changePatrol({ shift: r.shift[c[0]] }); self.openRoute(c[0]); }), key = make("i");
    key.style.background = p.colour(c[0]);
    b.appendChild(key);
    b.appendChild(own(told.teams.id[r.team[c[0]]] + (c[1].number ? " · " + c[1].number : "")));
    b.appendChild(make("time", "", bandText(c[1].quarter, t) + (c[1].stay ? " · " + fillText(t.minutes, { n: c[1].stay }) : "")));
    list.appendChild(make("li", "", undefined, b));
  });
  return [make("h3", "", t.on_day), found.length ? list : make("p", "told", t.never)];
};

Panels.prototype.lacksOf = function (kind, of) {
  var told = this.view.patrol.told, t = told.text;
  return told.lacks.filter(function (u) { return u[0] === kind && u[1] === of; }).map(function (u) {
    return make("p", "lacking", fillText(t.n_unmet, { n: thousands(u[3]) }) + " · " + t["reason_" + told.reasons[u[2]]]);
  });
};

Panels.prototype.openStop = function (f) {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, s = told.stops, rows = make("dl", "rows");
  this.view.select(null);
  var asked = s.per_day[f] ? fillText(t.per_day, { n: s.per_day[f] }) : s.per_week[f] ? fillText(t.per_week, { n: s.per_week[f] }) : "";
  if (asked) rows.appendChild(this.row(t.asked, asked));
  if (s.zone[f] >= 0) rows.appendChild(this.row(t.zone, told.zones.name[s.zone[f]]));
  var kicker = make("p", "kicker", undefined, own(s.kind[f] >= 0 && s.kinds[s.kind[f]] || t.stop));
  this.openCard(s.name[f], kicker, this.lacksOf(STOP, f).concat([rows.childNodes.length ? rows : null], this.comings(STOP, f)));
  this.again = function () { self.openStop(f); };
};

Panels.prototype.openStreet = function (q) {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, s = told.streets;
  this.view.select(null);
  var rows = make("dl", "rows", undefined, this.row(t.asked, fillText(t.per_day, { n: s.passes[q] })), this.row(t.length, thousands(s.metres[q]) + " m"));
  this.openCard(s.names[s.name[q]], make("p", "kicker", t["tier_" + told.tiers[s.tier[q]]] + " · " + t.street),
    (p.inside ? this.lacksOf(STREET, q) : []).concat([rows], p.inside ? this.comings(STREET, q) : []));
  this.again = function () { self.openStreet(q); };
};

Panels.prototype.openStation = function (f) {
  var self = this, p = this.view.patrol, told = p.told, list = make("ul", "comings");
  this.view.select(null);
  p.routes.forEach(function (k) {
    if (told.teams.station[told.routes.team[k]] !== f) return;
    var b = button("", function () { self.openRoute(k); }), key = make("i");
    key.style.background = p.colour(k);
    b.appendChild(key);
    b.appendChild(own(told.teams.id[told.routes.team[k]]));
    b.appendChild(make("time", "", fillText(told.text.km, { n: kmText(told.routes.metres[k]) })));
    list.appendChild(make("li", "", undefined, b));
  });
  this.openCard(told.stations.name[f], make("p", "kicker", told.text.station), [make("h3", "", told.text.teams), list]);
  this.again = function () { self.openStation(f); };
};

Panels.prototype.openZone = function (z) {
  var self = this, p = this.view.patrol, told = p.told, t = told.text, held = told.figures.zone[told.zones.id[z]] || {}, shares = make("ul", "bars"), facts = make("dl", "facts"), teams = make("ul", "comings");
  ["street_visibility", "visit_share", "pass_share", "response_share_5"].forEach(function (name) { if (held[name]) self.gauge(shares, t[name], held[name]); });
  function fact(name, words) { facts.appendChild(make("div", "", undefined, make("dt", "", t[name]), make("dd", "", words))); }
  if (held.patrol_gap) fact("patrol_gap", (100 * held.patrol_gap[0]).toFixed(1) + " %");
  if (held.balance) fact("balance", held.balance[0].toFixed(2));
  if (held.cordon_min) fact("cordon_min", fillText(t.minutes, { n: Math.ceil(held.cordon_min[0]) }));
  if (p.routing) p.routes.forEach(function (k) {
    if (told.teams.zone[told.routes.team[k]] !== z) return;
    var b = button("", function () { self.openRoute(k); }), key = make("i");
    key.style.background = p.colour(k);
    b.appendChild(key);
    b.appendChild(own(told.teams.id[told.routes.team[k]]));
    b.appendChild(make("time", "", fillText(t.km, { n: kmText(told.routes.metres[k]) })));
    teams.appendChild(make("li", "", undefined, b));
  });
  this.openCard(told.zones.name[z], make("p", "kicker", t["tier_" + told.tiers[told.zones.tier[z]]] + " · " + t.zone),
    [shares.children.length ? shares : null, facts.children.length ? facts : null, teams.children.length ? make("h3", "", t.teams) : null, teams.children.length ? teams : null]);
  this.view.select(p.layer("zones").rings(z));
  this.again = function () { self.openZone(z); };
};

Panels.prototype.goStop = function (f) {
  var p = this.view.patrol, s = p.layer("stops");
  if (this.view.narrow()) this.fold(false);
  this.openStop(f);
  this.view.fit(L.latLngBounds([toLatLng(s.x[f], s.y[f])]), 16.5);
};

// To a stop or street that is not met, on a day on which it is not.
Panels.prototype.goLack = function (u) {
  var p = this.view.patrol, told = p.told, when = u[4][0], tier = u[0] === STREET ? told.streets.tier[u[1]] : told.stops.tier[u[1]];
  var change = { team: -1, routing: true };
  if (tier >= 0) change.tier = tier;
  if (when[0] >= 0) change.day = when[0];
  if (when[1] >= 0) change.shift = when[1];
  this.again = null;
  this.changePatrol(change);
  if (u[0] === STOP) return this.goStop(u[1]);
  if (this.view.narrow()) this.fold(false);
  this.openStreet(u[1]);
  return this.view.fit(p.layer("streets").bounds(u[1]), 16.5);
};

// Teams, stops and zones can be searched for too.
var indexBefore = Panels.prototype.index;
Panels.prototype.index = function () {
  if (this.entries) return this.entries;
  var self = this, view = this.view, p = view.patrol, told = p.told, t = told.text, out = indexBefore.call(this);
  function add(rank, kind, name, more, go) {
    out.push({ rank: rank, kind: kind, name: name, more: more, key: name.toLowerCase(), text: (name + " " + more).toLowerCase(), go: function () {
      if (!p.on) view.colourBy("patrol");
      if (view.narrow()) self.fold(false);
      go();
    } });
  }
  Object.assign(this.texts, { team: t.team, zone: t.zone, stop: t.stop });
  told.zones.name.forEach(function (name, z) {
    add(3, "zone", name, t["tier_" + told.tiers[told.zones.tier[z]]] || "", function () {
      self.changePatrol({ tier: told.zones.tier[z] });
      self.openZone(z);
      view.fit(p.layer("zones").bounds(z), 16.5);
    });
  });
  if (!p.inside) return out;
  told.teams.id.forEach(function (name, team) {
    var zone = told.teams.zone[team], mine = told.routes.team.map(function (_, k) { return k; }).filter(function (k) { return told.routes.team[k] === team; });
    if (mine.length) add(2, "team", name, zone < 0 ? "" : told.zones.name[zone], function () {
      var k = mine.filter(function (m) { return told.routes.day[m] === p.day; })[0];
      if (k === undefined) k = mine[0];
      self.changePatrol({ tier: told.teams.tier[team], day: told.routes.day[k], routing: true });
      self.changePatrol({ shift: told.routes.shift[k] });
      self.goRoute(k);
    });
  });
  told.stops.name.forEach(function (name, f) {
    add(4, "stop", name, told.stops.kind[f] >= 0 ? told.stops.kinds[told.stops.kind[f]] : "", function () {
      if (told.stops.tier[f] >= 0) self.changePatrol({ tier: told.stops.tier[f], routing: true });
      self.goStop(f);
    });
  });
  return out;
};
