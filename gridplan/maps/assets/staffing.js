// Staffing: grids coloured by whether their posts are filled, who holds them, what is vacant.

MARK.filled = ["#cde3d3", "", ""];
MARK.short = ["#f8ebcd", "#c58a1c", "up"];
MARK.vacant = ["#f3cfc0", "#a8321f", "cross"];
MARK.nobody = ["#f1eee7", "", ""];

// The looks of all grids, by households or by staffing.
Painter.prototype.colourBy = function (staffing) {
  var staff = this.plan.staffing;
  if (!this.byHouseholds) this.byHouseholds = this.group;
  this.group = staffing ? staff.state.map(function (s) { return staff.states[s]; }) : this.byHouseholds;
};

View.prototype.colourBy = function (name) {
  var staffing = name === "staffing", box = byId("by-staffing");
  this.painter.colourBy(staffing);
  document.querySelectorAll("[data-colour]").forEach(function (b) { b.setAttribute("aria-pressed", String(b.dataset.colour === name)); });
  byId("by-households").hidden = staffing;
  if (box) box.hidden = !staffing;
  this.tiles.redraw();
};

Panels.prototype.wireStaffing = function () {
  var self = this;
  document.querySelectorAll("[data-colour]").forEach(function (b) {
    b.addEventListener("click", function () { self.view.colourBy(b.dataset.colour); });
  });
  var list = byId("show-vacancies");
  if (list) list.addEventListener("click", function () { self.vacancies(); });
};

// A post in words: whether it is filled, or who holds it.
Panels.prototype.post = function (needed, filled, people) {
  var t = this.texts, cell = make("dd", filled < needed ? "open" : "");
  (people || []).forEach(function (p) {
    var line = make("p", "", undefined, own(p[1] || p[0]));
    if (p[1]) line.appendChild(make("small", "", undefined, own(p[0])));
    if (p[2]) line.appendChild(make("span", "phone", undefined, own(p[2])));
    cell.appendChild(line);
  });
  if (filled < needed) {
    cell.appendChild(make("p", "", filled && !people ? fillText(t.partly, { n: filled, of: needed })
      : needed - filled > 1 ? fillText(t.n_vacant, { n: needed - filled }) : t.post_vacant));
  } else if (!people) cell.appendChild(make("p", "", t.post_filled));
  return cell;
};

Panels.prototype.postRow = function (role, needed, filled, people) {
  return make("div", "row", undefined, make("dt", "", this.plan.staffing.roles[role] || role), this.post(needed, filled, people));
};

// The people and the work of a grid, for its card.
Panels.prototype.staffing = function (i) {
  var staff = this.plan.staffing, t = this.texts, rows = make("dl", "rows staff"), self = this;
  if (!staff) return null;
  var state = staff.states[staff.state[i]];
  Object.keys(staff.posts).forEach(function (role) {
    var p = staff.posts[role];
    if (p.needed[i] || p.filled[i]) rows.appendChild(self.postRow(role, p.needed[i], p.filled[i], p.people && p.people[i]));
  });
  var load = staff.workload.length ? staff.workload[i] : null;
  if (load !== null) {
    var cell = make("dd", "", undefined, make("b", "", decimals(load))), terms = [];
    Object.keys(staff.terms).forEach(function (name) {
      if (staff.terms[name][i]) terms.push((t["term_" + name] || name) + " " + decimals(staff.terms[name][i]));
    });
    if (terms.length) cell.appendChild(make("p", "terms", terms.join(" + ")));
    rows.appendChild(make("div", "row", undefined, make("dt", "", t.workload), cell));
  }
  return make("section", "", undefined, make("h3", "", t.staffing),
              make("p", "chip is-" + state, undefined, make("i"), make("span", "", t["staff_" + state])), rows);
};

// The posts of a community, below its scores.
Panels.prototype.postsOf = function (c) {
  var staff = this.plan.staffing, self = this;
  if (!staff || !staff.towns[c].length) return null;
  var rows = make("dl", "rows staff");
  staff.towns[c].forEach(function (p) {
    var row = self.postRow(p.role, p.needed, p.filled, p.people);
    if (!p.people) {
      row.lastChild.textContent = "";
      row.lastChild.appendChild(make("p", "", fillText(self.texts.filled_of, { n: thousands(p.filled), of: thousands(p.needed) })));
    }
    rows.appendChild(row);
  });
  return make("section", "", undefined, make("h3", "", this.texts.staffing), rows);
};

// What is vacant: grids without a responsible first, then missing people by community and role.
Panels.prototype.vacancies = function () {
  var self = this, staff = this.plan.staffing, p = this.plan, t = this.texts, list = make("ul", "exceptions");
  var bare = [], short = [], total = 0;
  staff.state.forEach(function (s, i) {
    if (staff.states[s] === "vacant") bare.push(i);
    if (staff.states[s] === "short") short.push(i);
  });
  function line(where, count, state, go) {
    var b = button("", go);
    b.appendChild(make("span", "where", undefined, own(where)));
    b.appendChild(make("b", "", count));
    b.appendChild(make("span", "chip is-" + state, undefined, make("i"), make("span", "", t["staff_" + state])));
    list.appendChild(make("li", "", undefined, b));
  }
  function missing(i) {
    return Object.keys(staff.posts).reduce(function (sum, role) {
      return sum + Math.max(0, staff.posts[role].needed[i] - staff.posts[role].filled[i]);
    }, 0);
  }
  bare.concat(short).slice(0, 400).forEach(function (i) {
    line(self.communityName(i) + " · " + self.gridName(i), fillText(t.n_vacant, { n: missing(i) }), staff.states[staff.state[i]], function () { self.view.goGrid(i); });
  });
  if (bare.length + short.length > 400) list.appendChild(make("li", "rest", fillText(t.rest, { n: thousands(bare.length + short.length - 400) })));
  staff.towns.forEach(function (posts, c) {
    posts.forEach(function (post) {
      total += post.needed - post.filled;
      if (post.needed === post.filled || staff.posts[post.role]) return;
      line((p.communities.name[c] || p.communities.id[c]) + " · " + (staff.roles[post.role] || post.role),
           fillText(t.n_vacant, { n: post.needed - post.filled }), "post", function () { self.view.goCommunity(c); });
    });
  });
  this.showList(t.vacancies + " · " + thousands(total), list);
  this.view.colourBy("staffing");
};

function decimals(value) {
  var parts = value.toFixed(1).split(".");
  return thousands(parts[0]) + (parts[1] === "0" ? "" : "." + parts[1]);
}
