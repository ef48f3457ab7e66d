// The scorecard in a card: four scores as bars, and why each border runs where it does.

var SCORES = ["balance", "shape", "border", "straddling"], LOW_SCORE = 50;

// Scores come by name, then by feature; an empty list is a plan without any.
Panels.prototype.scores = function (scores, i) {
  if (!scores.length) return null;
  var t = this.texts, list = make("dl", "scores");
  SCORES.forEach(function (name, k) {
    var value = scores[k][i], none = value < 0, bar = make("i"), label = make("dt", "", t["score_" + name]);
    bar.style.width = (none ? 0 : value) + "%";
    label.title = t["score_" + name + "_means"];
    list.appendChild(make("div", none ? "none" : value < LOW_SCORE ? "low" : "", undefined, label,
                          make("dd", "bar", undefined, bar), make("dd", "points", none ? "–" : String(value))));
  });
  var note = this.plan.unmeasured ? make("p", "note", t.score_unmeasured) : null;
  return make("section", "", undefined, make("h3", "", t.scores), list, note);
};

// How far the borders of a community are from the best; null where that is not known.
Panels.prototype.gap = function (c) {
  var gap = this.plan.communities.gap[c], t = this.texts;
  if (!(gap >= 0)) return null;
  return make("p", "note", gap ? fillText(t.gap, { n: gap / 10 }) : t.gap_none);
};

// The borders of a grid, the longest first: places in the columns of plan.borders.
Panels.prototype.bordersOf = function (i) {
  var b = this.plan.borders, by = this.byGrid;
  if (!by) {
    by = this.byGrid = {};
    b.a.forEach(function (_, k) {
      [b.a[k], b.b[k]].forEach(function (g) { (by[g] = by[g] || []).push(k); });
    });
  }
  function metres(k) { return b.along[k].reduce(function (sum, v, n) { return sum + (n % 3 === 2 ? v : 0); }, 0); }
  return (by[i] || []).slice().sort(function (p, q) { return metres(q) - metres(p) || p - q; });
};

// Say what a border follows and what moving it would cost.
Panels.prototype.why = function (k) {
  var b = this.plan.borders, t = this.texts, said = [], along = b.along[k], cost = b.cost[k];
  for (var n = 0; n < along.length; n += 3) {
    var name = b.names[along[n]], kind = b.kinds[along[n + 1]];
    said.push(fillText(!kind ? t.why_off : name ? t.why_named : t.why_line,
                       { name: "\u2068" + name + "\u2069", kind: t["line_" + kind] || "", n: thousands(along[n + 2]) }));
  }
  var move = cost === null ? t.why_fixed
    : fillText(cost < 0 ? t.why_gain : t.why_cost, { n: thousands(Math.abs(cost)) });
  return fillText(t.why, { follows: said.join(t.why_and), move: move });
};

Panels.prototype.reasons = function (i) {
  if (!this.plan.borders) return null;
  var self = this, b = this.plan.borders, t = this.texts, list = make("ul", "");
  this.bordersOf(i).forEach(function (k) {
    var other = b.a[k] === i ? b.b[k] : b.a[k], go = button("", function () { self.view.goGrid(other); });
    go.appendChild(own(self.gridName(other)));
    list.appendChild(make("li", "", undefined, go, make("p", "", undefined, own(self.why(k)))));
  });
  if (!list.childNodes.length) return null;
  var note = fillText(t.why_note, { off: b.factors[0], main: b.factors[4] });
  return make("details", "why", undefined, make("summary", "", t.why_title), list, make("p", "rest", note));
};
