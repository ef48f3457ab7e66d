// Groups, seen only from near: thin lines inside a grid, their names where they fit, a list.

Painter.prototype.groups = function (v) {
  var ids = this.near("groups", v, 4);
  if (!ids.length) return;
  this.trace("groups", ids, v, false);
  this.stroke(v, "rgba(255,255,255,.75)", 3);
  this.stroke(v, COLOUR.group, v.zoom >= 17 ? 1.5 : 1.1, [2, 3]);
};

STYLE.group = { font: "500 10.5px " + FONTS, size: 10.5, ink: "#3d6472", halo: 2.6 };

Labels.prototype.groups = function (view) {
  var self = this, plan = this.plan, groups = plan.groups;
  if (!groups) return;
  this.order.groups = this.order.groups || byRadius(groups.radius);
  this.each("groups", view, function (f, x, y, radius) {
    if (radius < 16) return;
    var name = shownName(groups.name[f] || fillText(self.texts.group_n, { n: groups.seq[f] }));
    var count = groups.households ? fillText(self.texts.unit, { n: thousands(groups.households[f]) }) : "";
    [[name, count], [name]].some(function (lines) {
      var sized = lines.filter(Boolean).map(function (t) { return [STYLE.group, t, self.width(STYLE.group, t)]; });
      var wide = Math.max.apply(null, sized.map(function (l) { return l[2]; }));
      if (wide > 2.1 * radius) return false;
      return [0, 0.5, -0.5].some(function (way) {
        return self.place("group", sized, x, y + way * radius, view);
      });
    });
  });
};

// The groups of a grid for its card.
Panels.prototype.groups = function (i) {
  var groups = this.plan.groups, t = this.texts, rows = make("dl", "rows groups"), self = this;
  if (!groups) return null;
  groups.grid.forEach(function (owner, k) {
    if (owner !== i) return;
    var row = self.row(fillText(t.group_n, { n: groups.seq[k] }), groups.name[k]);
    if (groups.households) row.appendChild(make("dd", "count", fillText(t.unit, { n: thousands(groups.households[k]) })));
    rows.appendChild(row);
  });
  return rows.childNodes.length ? make("section", "", undefined, make("h3", "", t.groups), rows) : null;
};
