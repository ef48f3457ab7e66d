// Mergers: dashed borders of the communities that were, and what became of them.

Painter.prototype.former = function (v) {
  var ids = this.near("former", v, 4);
  if (!ids.length) return;
  this.trace("former", ids, v, false);
  this.stroke(v, "rgba(255,255,255,.75)", 3.2);
  this.stroke(v, COLOUR.former, v.zoom >= 13 ? 1.8 : 1.3, [6, 4]);
};

// The old communities that a new one is made of: the one that stays first, then by size.
Panels.prototype.madeOf = function (c) {
  var m = this.plan.mergers, out = [];
  m.community.forEach(function (owner, k) { if (owner === c) out.push(k); });
  return out.sort(function (a, b) { return m.kept[b] - m.kept[a] || m.households[b] - m.households[a] || a - b; });
};

Panels.prototype.formerName = function (k) { return this.plan.mergers.name[k] || this.plan.mergers.id[k]; };

Panels.prototype.mergerRows = function (c) {
  var self = this, m = this.plan.mergers, t = this.texts, rows = make("dl", "rows former");
  this.madeOf(c).forEach(function (k) {
    var row = self.row(m.kept[k] ? t.stays : t.joins, self.formerName(k));
    row.appendChild(make("dd", "count", fillText(t.unit, { n: countText(m.households[k], t) })));
    rows.appendChild(row);
  });
  return rows;
};

// What a community was merged from, for its card; nothing where it is as it was.
Panels.prototype.mergedFrom = function (c) {
  if (!this.plan.mergers || this.madeOf(c).length < 2) return null;
  return make("section", "", undefined, make("h3", "", this.texts.merged_from), this.mergerRows(c));
};

// The card of a new community on a map without grids.
Panels.prototype.openMerger = function (c) {
  var m = this.plan.mergers, t = this.texts, made = this.madeOf(c), p = this.plan;
  var status = p.status[p.grids.status[made[0]]];
  var number = make("p", "number", undefined, make("strong", "", countText(m.total[c], t)), make("span", "", t.counted));
  var chip = make("p", "chip is-" + (status === "empty" ? "ok" : status), undefined, make("i"),
                  make("span", "", t[status === "empty" ? "status_ok" : "status_" + status]));
  var moved = made.slice(1).reduce(function (sum, k) { return sum + Math.max(0, m.households[k]); }, 0);
  var body = made.length > 1 ? make("section", "", undefined, make("h3", "", t.merged_from), this.mergerRows(c),
    make("p", "note", fillText(t.n_move, { n: thousands(moved) }))) : make("p", "note", t.status_empty);
  var name = p.communities.name[c] || p.communities.id[c];
  this.openCard(name, make("p", "kicker", t.community),
    [number, chip, m.reason[c] ? make("p", "reason", undefined, own(m.reason[c])) : null,
     make("dl", "rows", undefined, this.row(t.code, p.communities.id[c])), body]);
};

// The mergers, those of most households first.
Panels.prototype.listMergers = function () {
  var self = this, p = this.plan, m = p.mergers, t = this.texts, ids = [];
  p.communities.id.forEach(function (_, c) { if (self.madeOf(c).length > 1) ids.push(c); });
  ids.sort(function (a, b) { return m.total[b] - m.total[a] || a - b; });
  var list = make("ul", "exceptions");
  ids.forEach(function (c) {
    var made = self.madeOf(c), b = button("", function () { self.view.goCommunity(c); });
    b.appendChild(make("span", "where", undefined, own(p.communities.name[c] || p.communities.id[c])));
    b.appendChild(make("b", "", fillText(t.unit, { n: countText(m.total[c], t) })));
    b.appendChild(make("span", "why", undefined, own(made.map(function (k) {
      return self.formerName(k) + " " + countText(m.households[k], t);
    }).join(" + "))));
    list.appendChild(make("li", "", undefined, b));
  });
  this.showList(t.mergers + " · " + thousands(ids.length), list);
};
