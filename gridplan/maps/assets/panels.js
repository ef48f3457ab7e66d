// Everything beside the map: card, search, list, layers. Texts of the plan become text nodes only.

function fillText(pattern, values) {
  return pattern.replace(/\{(\w+)\}/g, function (all, name) { return name in values ? values[name] : all; });
}

function thousands(n) { return String(n).replace(/\B(?=(\d{3})+$)/g, ","); }

function countText(n, texts) { return n === -1 ? texts.few : thousands(n); }

function make(tag, cls, text) {
  var node = document.createElement(tag);
  if (cls) node.className = cls;
  if (text !== undefined) node.textContent = text;
  for (var i = 3; i < arguments.length; i++) if (arguments[i]) node.appendChild(arguments[i]);
  return node;
}

// A text of the plan, whose direction of writing stays its own.
function own(text, cls) {
  var node = make("bdi", cls, text);
  node.dir = "auto";
  return node;
}

function button(cls, act) {
  var node = make("button", cls);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

function byId(id) { return document.getElementById(id); }

function Panels(view) {
  this.view = view;
  this.plan = view.plan;
  this.texts = view.plan.text;
  this.card = byId("card");
  this.query = byId("query");
  this.hits = byId("hits");
  this.wire();
}

Panels.prototype.wire = function () {
  var self = this, view = this.view;
  document.querySelectorAll("[data-layer]").forEach(function (box) {
    box.checked = true;
    box.addEventListener("change", function () { view.show(box.dataset.layer, box.checked); });
  });
  document.querySelectorAll("canvas[data-status]").forEach(function (c) { self.key(c); });
  this.query.addEventListener("input", function () { self.search(); });
  this.query.addEventListener("focus", function () { self.search(); });
  this.query.addEventListener("keydown", function (e) { self.keys(e); });
  document.addEventListener("keydown", function (e) { if (e.key === "Escape") { self.closeCard(); self.closeHits(); } });
  document.addEventListener("click", function (e) { if (!byId("find").contains(e.target)) self.closeHits(); });
  byId("fold").addEventListener("click", function () { self.fold(!byId("panel").classList.contains("open")); });
  var list = byId("show-exceptions") || byId("show-mergers");
  if (list) list.addEventListener("click", function () { self.list(); });
  this.wireStaffing();
};

Panels.prototype.fold = function (open) {
  byId("panel").classList.toggle("open", open);
  byId("fold").setAttribute("aria-expanded", String(open));
  this.view.labels.draw();
};

// A key of the legend, drawn by the same hand as the map.
Panels.prototype.key = function (canvas) {
  var g = canvas.getContext("2d"), status = canvas.dataset.status;
  g.scale(2, 2);
  g.beginPath();
  g.rect(0, 0, 28, 16);
  this.view.painter.fill(status, g);
  if (status === "special") return;
  g.strokeStyle = MARK[status][1] || COLOUR.grid;
  g.lineWidth = MARK[status][1] ? 3 : 1;
  g.strokeRect(0, 0, 28, 16);
};

Panels.prototype.gridName = function (i) {
  return this.plan.grids.name[i] || this.plan.grids.id[i];
};

Panels.prototype.communityName = function (i) {
  var c = this.plan.grids.community[i];
  return c < 0 ? "" : this.plan.communities.name[c] || this.plan.communities.id[c];
};

Panels.prototype.openCard = function (title, above, body) {
  var card = this.card, self = this, close = button("close", function () { self.closeCard(); });
  close.setAttribute("aria-label", this.texts.close);
  close.textContent = "×";
  card.textContent = "";
  var head = make("header", "", undefined, above, make("h2", "", undefined, own(title)), close);
  card.appendChild(head);
  body.forEach(function (node) { if (node) card.appendChild(node); });
  card.hidden = false;
  card.scrollTop = 0;
  this.view.labels.draw();
};

Panels.prototype.closeCard = function () {
  if (this.card.hidden) return;
  this.card.hidden = true;
  this.view.select(null);
  this.view.labels.draw();
};

Panels.prototype.row = function (label, value) {
  return make("div", "row", undefined, make("dt", "", label), make("dd", "", undefined, own(value)));
};

Panels.prototype.openGrid = function (i) {
  var g = this.plan.grids, t = this.texts, status = this.plan.status[g.status[i]];
  var kicker = make("p", "kicker", undefined, own(this.communityName(i)));
  var number = make("p", "number", undefined, make("strong", "", countText(g.households[i], t)), make("span", "", t.counted));
  var low = g.households_low[i], high = g.households_high[i];
  if (high !== -2 && high > 0 && low !== high) {
    number.appendChild(make("em", "", fillText(t.estimated, { low: countText(low, t), high: countText(high, t) })));
  }
  var chip = make("p", "chip is-" + status, undefined, make("i"), make("span", "", t["status_" + status]));
  var reason = g.reason[i] || (g.code[i] && t["reason_" + g.code[i]]) || "";
  var rows = make("dl", "rows", undefined, this.row(t.code, g.id[i]),
                  this.row(t.buildings, countText(g.buildings[i], t)),
                  this.row(t.area, fillText(t.hectares, { n: thousands((g.area[i] / 1e4).toFixed(1).split(".")[0]) + "." + (g.area[i] / 1e4).toFixed(1).split(".")[1] })));
  var bounds = make("dl", "rows bounds"), self = this;
  ["bound_e", "bound_s", "bound_w", "bound_n"].forEach(function (b) {
    if (g[b][i]) bounds.appendChild(self.row(t[b], g[b][i]));
  });
  var contents = g.contents[i] ? make("div", "contents", undefined, make("h3", "", t.contents), make("p", "", undefined, own(g.contents[i]))) : null;
  this.openCard(this.gridName(i), kicker, [number, chip, reason ? make("p", "reason", undefined, own(reason)) : null,
    this.staffing(i), this.scores(g.scores, i), rows, bounds.childNodes.length ? make("h3", "", t.bounds) : null, bounds.childNodes.length ? bounds : null, contents, this.groups(i), this.reasons(i)]);
};

// A card for a community, road or estate: its name, what is told of it (nodes or null), and its grids.
Panels.prototype.openPlace = function (kind, name, ids, told) {
  var self = this, list = make("ul", "links");
  ids.slice(0, 60).forEach(function (i) {
    var b = button("", function () { self.view.goGrid(i); });
    b.appendChild(own(self.gridName(i)));
    b.appendChild(make("small", "", undefined, own(self.communityName(i))));
    list.appendChild(make("li", "", undefined, b));
  });
  this.openCard(name, make("p", "kicker", this.texts[kind]),
    (told || []).concat([make("h3", "", fillText(this.texts.n_grids, { n: thousands(ids.length) })), list,
     ids.length > 60 ? make("p", "rest", fillText(this.texts.rest, { n: ids.length - 60 })) : null]));
};

Panels.prototype.exceptions = function () {
  var p = this.plan, settled = { ok: 1, special: 1 };
  return p.grids.status.map(function (s, i) { return i; })
    .filter(function (i) { return !settled[p.status[p.grids.status[i]]]; });
};

Panels.prototype.list = function () {
  var self = this, p = this.plan, t = this.texts, ids = this.exceptions();
  if (p.alone) return this.listMergers();
  var list = make("ul", "exceptions");
  function add(from) {
    ids.slice(from, from + 200).forEach(function (i) {
      var status = p.status[p.grids.status[i]], b = button("", function () { self.view.goGrid(i); });
      b.appendChild(make("span", "where", undefined, own(self.communityName(i) + " · " + self.gridName(i))));
      b.appendChild(make("b", "", fillText(t.unit, { n: countText(p.grids.households[i], t) })));
      b.appendChild(make("span", "chip is-" + status, undefined, make("i"), make("span", "", t["status_" + status])));
      var why = p.grids.reason[i] || t["reason_" + p.grids.code[i]] || "";
      if (why) b.appendChild(make("span", "why", undefined, own(why)));
      list.appendChild(make("li", "", undefined, b));
    });
    var rest = ids.length - from - 200;
    if (rest > 0) {
      var more = button("more", function () { list.removeChild(more.parentNode); add(from + 200); });
      more.textContent = fillText(t.rest, { n: thousands(rest) });
      list.appendChild(make("li", "", undefined, more));
    }
  }
  add(0);
  this.showList(t.exceptions + " · " + thousands(ids.length), list);
};

// A list in place of the legend, with a way back.
Panels.prototype.showList = function (title, list) {
  var self = this, box = byId("list"), back = button("back", function () { self.endList(); });
  box.textContent = "";
  back.textContent = "‹ " + this.texts.back;
  box.appendChild(back);
  box.appendChild(make("h2", "", title));
  box.appendChild(list);
  byId("legend").hidden = true;
  box.hidden = false;
  byId("panel-body").scrollTop = 0;
  if (this.view.narrow()) this.closeCard();
  this.fold(true);
};

Panels.prototype.endList = function () {
  byId("list").hidden = true;
  byId("legend").hidden = false;
  this.view.labels.draw();
};

// A few choices of which one holds.
Panels.prototype.choices = function (name, label, words, at, choose) {
  var group = make("div", "choices " + name);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", label);
  words.forEach(function (word, k) {
    var b = button("", function () { choose(k); });
    b.textContent = word;
    b.setAttribute("aria-pressed", String(k === at));
    group.appendChild(b);
  });
  return group;
};

// What can be searched: built once, at the first search.
Panels.prototype.index = function () {
  if (this.entries) return this.entries;
  var p = this.plan, self = this, view = this.view, out = this.entries = [];
  function add(rank, kind, name, more, hidden, go) {
    out.push({ rank: rank, kind: kind, name: name, more: more, go: go,
               key: name.toLowerCase(), text: (name + " " + more + " " + hidden).toLowerCase() });
  }
  p.communities.id.forEach(function (id, c) {
    add(0, "community", p.communities.name[c] || id, id, "", function () { view.goCommunity(c); });
  });
  p.places.name.forEach(function (name, k) {
    var ids = p.places.grids[k], kind = p.places.kind[k];
    add(kind === "estate" ? 1 : 2, kind, name, fillText(self.texts.n_grids, { n: ids.length }), "", function () { view.goPlace(k); });
  });
  if (p.mergers) p.mergers.id.forEach(function (id, k) {
    var c = p.mergers.community[k];
    if (!p.mergers.kept[k] && c >= 0) add(1, "former", self.formerName(k), fillText(self.texts.now_in, { name: p.communities.name[c] || p.communities.id[c] }), id, function () { view.goCommunity(c); });
  });
  if (!p.alone) p.grids.id.forEach(function (id, i) {
    add(3, "grid", self.gridName(i), self.communityName(i), id + " " + p.grids.contents[i], function () { view.goGrid(i); });
    out[out.length - 1].code = id.toLowerCase();
  });
  return out;
};

Panels.prototype.search = function () {
  var words = this.query.value.toLowerCase().split(/\s+/).filter(Boolean), self = this;
  this.hits.textContent = "";
  this.at = -1;
  if (!words.length) return this.closeHits();
  var whole = words.join(" ");
  var found = this.index().filter(function (e) {
    return words.every(function (w) { return e.text.indexOf(w) >= 0; });
  });
  found.forEach(function (e) {
    var exact = e.code === whole ? -20 : e.key === whole ? -10 : e.key.indexOf(whole) === 0 ? -4 : 0;
    e.order = e.rank + exact;
  });
  found.sort(function (a, b) { return a.order - b.order; });
  found.slice(0, 30).forEach(function (e) {
    var b = button("", function () { self.closeHits(); self.query.blur(); e.go(); });
    b.appendChild(make("small", "kind", self.texts[e.kind]));
    b.appendChild(own(e.name, "name"));
    b.appendChild(own(e.more, "more"));
    self.hits.appendChild(make("li", "", undefined, b));
  });
  if (!found.length) this.hits.appendChild(make("li", "none", this.texts.nothing_found));
  if (found.length > 30) this.hits.appendChild(make("li", "none", fillText(this.texts.more, { n: thousands(found.length - 30) })));
  this.hits.hidden = false;
  return undefined;
};

Panels.prototype.closeHits = function () { this.hits.hidden = true; };

Panels.prototype.keys = function (e) {
  var all = this.hits.querySelectorAll("button");
  if (e.key === "Enter" && all.length) all[Math.max(0, this.at)].click();
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
  e.preventDefault();
  if (!all.length) return;
  if (this.at >= 0) all[this.at].classList.remove("at");
  this.at = (this.at + (e.key === "ArrowDown" ? 1 : all.length - 1) + (this.at < 0 && e.key === "ArrowUp" ? 1 : 0)) % all.length;
  all[this.at].classList.add("at");
  all[this.at].scrollIntoView({ block: "nearest" });
};
