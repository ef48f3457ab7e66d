"""The plan as one HTML file that opens everywhere: on an intranet PC, on a phone, without script.

Nothing in the file asks the network for anything. Names and texts of the plan
reach the page as text only, never as markup or script.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridplan.errors import Finding, InputError, UsageError
from gridplan.i18n import LANGUAGES, load_room, translate
from gridplan.layers import GRID_STATUS, Roster
from gridplan.maps.facts import (
    SETTLED,
    Figures,
    Layers,
    household_steps,
    read_figures,
    read_origin,
    statuses,
)
from gridplan.maps.mergers import has_mergers, lacks_grids, merger_figures, stand_in
from gridplan.outputs import write_bytes

if TYPE_CHECKING:
    from gridplan.plan.coverage import Circle

AUDIENCES = ("share", "internal", "dispatch")

__all__ = ["AUDIENCES", "Figures", "draw_map", "read_figures", "render_map"]


def draw_map(plan: Any, path: str | Path, *, audience: str = "share",
             roster: Roster | None = None, lang: str = "en") -> Path:
    """Write a plan as one HTML map and return its path.

    Parameters
    ----------
    plan
        A plan: its ``layers`` map layer names to frames in one metric CRS.
    path
        Where the file goes; an older one is replaced whole or not at all.
    audience
        ``share`` shows no count of 1–9; ``internal`` shows them. Neither holds a figure of
        a single building. ``share`` says of a post only whether it is filled, ``internal`` who
        holds it, by staff id. Of patrols ``share`` shows zones, which streets are passed how
        often, and figures; ``internal`` and ``dispatch`` show routes, their order and their
        quarters of an hour. Apart from that ``dispatch`` is like ``share``.
    roster
        With ``internal``: adds names and phones. They are written nowhere else.
    lang
        ``en`` or ``zh``.

    A plan that tells coverage also shows the service circle; one of demand points shows these in
    the place of grids, as coloured dots without a figure.

    Raises
    ------
    UsageError
        Another audience or language, or a roster for ``share``.
    InputError
        The plan has no community, or neither grids, mergers nor demand points with coverage.
    MachineError
        The file cannot be written; an older one is intact.
    """
    return write_bytes(path, render_map(plan.layers, audience=audience, roster=roster,
                                        lang=lang)).path


def render_map(layers: Layers, *, audience: str = "share", roster: Roster | None = None,
               lang: str = "en") -> bytes:
    """Return the page of :func:`draw_map` as UTF-8: same layers, same bytes.

    Raises
    ------
    UsageError
        Another audience or language.
    InputError
        The plan has no community, or neither grids, mergers nor demand points with coverage.
    """
    from gridplan.maps.demand import is_demand, stand_in_demand
    from gridplan.maps.page import build_page
    from gridplan.maps.patrol_facts import has_patrol, tell_plainly
    from gridplan.maps.payload import build_payload, prepare_drawing
    from gridplan.maps.still import draw_still
    from gridplan.plan.coverage import read_circle

    dots = is_demand(layers)
    layers = stand_in_demand(layers) if dots else layers
    _check(layers, audience, roster, lang)
    alone = lacks_grids(layers)
    layers = stand_in(layers) if alone else layers
    circle = None if alone else read_circle(layers, lang)
    patrol = audience if has_patrol(layers) and not alone and not dots else ""
    audience = "share" if audience == "dispatch" else audience
    drawing = prepare_drawing(layers)
    label = translate("maps.still_mergers" if alone else
                      "maps.circle_still" if dots else "maps.still", lang)
    still = draw_still(layers, drawing, audience, label, alone, circle if dots else None)
    payload = build_payload(layers, drawing, audience, lang, alone=alone, roster=roster,
                            circle=circle, patrol=patrol)
    shown = _shown(layers, alone, audience, lang)
    if circle is not None:
        shown |= _circle(layers, circle, audience, lang, dots)
    if patrol:
        shown |= {"patrol": tell_plainly(layers, patrol, lang),
                  "internal": patrol != "share"}
    return build_page(payload, still=still, **shown)


def _check(layers: Layers, audience: str, roster: Roster | None, lang: str) -> None:
    if audience not in AUDIENCES:
        raise UsageError(Finding("maps.audience", values={
            "value": audience, "known": ", ".join(AUDIENCES)}))
    if lang not in LANGUAGES:
        raise UsageError(Finding("maps.lang", values={
            "value": lang, "known": ", ".join(LANGUAGES)}))
    if roster is not None and audience != "internal":
        raise UsageError(Finding("maps.roster_shared", field="--roster"))
    empty = [name for name in ("communities", "grids")
             if layers.get(name) is None or not len(layers[name])]
    if lacks_grids(layers):
        empty = [name for name in empty if name != "grids"]
    if empty:
        raise InputError(*(Finding("maps.nothing", layer=name) for name in empty))


def _shown(layers: Layers, alone: bool, audience: str, lang: str) -> dict[str, Any]:
    """Return what ``page.html`` shows, as plain text and numbers."""
    origin = read_origin(layers, lang, "title_mergers" if alone else "title")
    # A new community counts once, however many old ones it is drawn as.
    counted = layers["grids"]
    counted = counted.drop_duplicates("community_id") if alone else counted
    counts = {s: statuses(counted).count(s) for s in GRID_STATUS}
    steps = household_steps(layers)
    ends = [e - 1 for e in steps[1:-1]] + [steps[-1]]

    def text(name: str, **values: object) -> str:
        return translate(f"maps.{name}", lang, **values)

    return {
        "lang": {"zh": "zh-CN"}.get(lang, lang), "t": text, "title": origin.title,
        "state": _state(origin.state, lang), "draft": origin.state in ("draft", "comment"),
        "internal": audience == "internal", "facts": origin.facts, "osm": origin.osm,
        "alone": alone, "search": "search_communities" if alone else "search",
        "figures": (merger_figures(layers, lang) if alone
                    else _grid_figures(read_figures(layers), lang)),
        "steps": [f"{a:,}–{b:,}" for a, b in zip(steps, ends, strict=False)],
        "unchanged": f"{counts['empty']:,}" if alone and counts["empty"] else "",
        "exceptions": [(s, text(f"ui_status_{s}"), f"{counts[s]:,}") for s in GRID_STATUS
                       if counts[s] and s not in SETTLED and not (alone and s == "empty")],
        "special": f"{counts['special']:,}" if counts["special"] else "",
        "staff": _staff(layers, text), "circle": None, "patrol": None,
        "dots": False,
        "background": [name for name in ("former", "groups", "buildings", "roads", "rail", "water",
                                         "green") if _has(layers, name)]}


def _circle(layers: Layers, circle: Circle, audience: str, lang: str,
            dots: bool) -> dict[str, Any]:
    """Return what the page shows of the service circle beside what it shows of any plan."""
    from gridplan.maps.circle import circle_figures, list_worst
    from gridplan.maps.demand import demand_figures

    def text(name: str, **values: object) -> str:
        return translate(f"maps.{name}", lang, **values)

    out: dict[str, Any] = {"circle": {
        "figures": circle_figures(circle, audience, text),
        "worst": [] if dots else list_worst(circle, layers, audience, text)}, "dots": dots}
    if dots:
        out |= {"title": read_origin(layers, lang, "circle_title").title, "special": "",
                "exceptions": [], "steps": [], "search": "circle_find",
                "figures": demand_figures(layers, circle, lang)}
    return out


def _grid_figures(figures: Figures, lang: str) -> tuple[tuple[str, str, str, str], ...]:
    """Return what heads the map of a plan with grids: key, label, value, and a smaller line."""
    def text(name: str, **values: object) -> str:
        return translate(f"maps.{name}", lang, **values)

    return (
        ("grids", text("grids"), f"{figures.grids:,}", ""),
        ("households", text("households"), f"{figures.households:,}", ""),
        ("communities", text("communities"), f"{figures.communities:,}", ""),
        ("share", text("share"), figures.share,
         text("share_of", n=f"{figures.in_range:,}", of=f"{figures.ranged:,}")),
        ("exceptions", text("exceptions"), f"{figures.exceptions:,}", ""))


def _staff(layers: Layers, text: Callable[..., str]) -> dict[str, Any] | None:
    """Return what the head and the legend say of staffing; None without an assignment."""
    from gridplan.maps.staffing import read_goal
    from gridplan.plan.staffing import STATES, read_staffing

    staffing = read_staffing(layers)
    if staffing is None:
        return None
    goal = read_goal(layers, staffing)
    # One target needs no word for what it holds for.
    targets = [text("target" if len(goal.targets) == 1 or part not in ("urban", "rural")
                    else f"target_{part}", share=share) for part, share in goal.targets]
    return {"share": goal.share, "met": goal.met,
            "of": " · ".join([text("share_of", n=f"{goal.have:,}", of=f"{goal.want:,}"),
                              *targets]),
            "vacant": f"{int(staffing.posts['missing'].sum()):,}",
            "states": [(s, text(f"ui_staff_{s}"), f"{staffing.count(s):,}") for s in STATES
                       if staffing.count(s)]}


def _state(state: str, lang: str) -> str:
    name = f"state_{state.strip().replace(' ', '-')}"
    return translate(f"maps.{name}", lang) if name in load_room("maps") else state


def _has(layers: Layers, name: str) -> bool:
    """Tell whether the plan holds what an entry of the legend stands for."""
    if name == "former":
        return has_mergers(layers)
    if name == "groups":
        from gridplan.maps.groups import has_groups

        return has_groups(layers)
    layer, kinds = {"rail": ("barriers", ("rail",)), "water": ("barriers", ("river", "water")),
                    "green": ("specials", ("park", "green", "garden"))}.get(name, (name, ()))
    frame = layers.get(layer)
    if frame is None or not len(frame):
        return False
    return not kinds or bool(frame["kind"].isin(kinds).any())
