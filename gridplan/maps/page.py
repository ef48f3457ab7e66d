"""The page: Folium's map and layer, our own markup, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

import folium
import jinja2
from folium.map import Layer
from folium.template import Template
from markupsafe import Markup

_SCRIPTS = ("inflate.js", "unpack.js", "tiles.js", "labels.js", "panels.js", "scores.js",
            "groups.js", "mergers.js", "start.js", "staffing.js")
# Only in the map of a plan that tells who reaches what.
_CIRCLE_SCRIPTS = ("circle.js", "circle_panel.js")
# Only in the map of a plan with patrols.
_PATROL_SCRIPTS = ("patrol.js", "patrol_draw.js", "patrol_marks.js", "patrol_panel.js",
                   "patrol_cards.js")


class PlanMap(folium.Map):
    """A Folium map that brings no script or style of its own from elsewhere."""

    _template = Template("""
        {% macro html(this, kwargs) %}<div class="folium-map" id="{{ this.get_name() }}"></div>
        {% endmacro %}
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = L.map({{ this.get_name()|tojson }}, {
            center: {{ this.location|tojson }}, ...{{ this.options|tojavascript }} });
        {% endmacro %}""")

    def __init__(self, **options: Any) -> None:
        super().__init__(location=(0.0, 0.0), tiles=None, **options)
        self._id = "gridplan"
        self.default_js = []
        self.default_css = []


class PlanLayer(Layer):
    """The layer that draws the packed plan on canvas tiles."""

    _template = Template("""
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = new gridplan.PlanLayer({{ this.block|tojson }});
        {% endmacro %}""")

    def __init__(self, block: str) -> None:
        super().__init__(name="plan")
        self._name, self._id, self.block = "PlanLayer", "gridplan", block


def build_page(payload: str, **values: Any) -> bytes:
    """Return the whole page as UTF-8.

    Parameters
    ----------
    payload
        The packed plan, base64.
    **values
        What ``page.html`` shows; strings are escaped, only ``Markup`` is not.
    """
    chart = PlanMap(zoom_control=False, attribution_control=False, zoom_snap=0.25, zoom_delta=1,
                    wheel_px_per_zoom_level=90, fade_animation=False, max_bounds_viscosity=0.8)
    chart.options |= {"max_zoom": 19, "min_zoom": 3}
    PlanLayer("plan-data").add_to(chart)
    root: Any = chart.get_root()
    root.render()
    circle, patrol = bool(values.get("circle")), bool(values.get("patrol"))
    scripts = [_inline(_vendor("leaflet.js")), _inline(_own_script(circle, patrol)),
               _inline(root.script.render())]
    early = "document.documentElement.className='js'"
    hashes = " ".join(f"'sha256-{_digest(s)}'" for s in (early, *scripts))
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                  keep_trailing_newline=True).from_string(_asset("page.html"))
    # Everything marked safe here is ours or Leaflet's; what the data say stays plain text.
    safe = {name: Markup(text) for name, text in {  # noqa: S704
        "early": early, "css": _style(circle, patrol), "map": root.html.render(),
        "payload": payload}.items()}
    page = template.render(scripts=[Markup(s) for s in scripts], hashes=Markup(hashes),  # noqa: S704
                           **safe, **values)
    return page.encode()


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


@cache
def _vendor(name: str) -> str:
    folder = files("js_lib_leaflet").joinpath("static", "js_lib_leaflet")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _own_script(circle: bool, patrol: bool) -> str:
    names = (_SCRIPTS + (_CIRCLE_SCRIPTS if circle else ())
             + (_PATROL_SCRIPTS if patrol else ()))
    body = "\n".join(_asset(name) for name in names)
    return f'(function () {{\n"use strict";\nvar gridplan = window.gridplan = {{}};\n{body}}})();'


def _style(circle: bool, patrol: bool) -> str:
    names = ["map.css", *(["parts.css"] if circle or patrol else []),
             *(["circle.css"] if circle else []), *(["patrol.css"] if patrol else [])]
    return _leaflet_css() + "".join(_asset(name) for name in names)


def _leaflet_css() -> str:
    """Return Leaflet's style sheet without its pictures, of which the map uses none."""
    return re.sub(r"url\([^)]*\)", "none", _vendor("leaflet.css"))


def _inline(script: str) -> str:
    """Make a script safe to stand inside the page; the reference to its source map goes."""
    script = re.sub(r"//# sourceMappingURL=\S*", "", script)
    return script.replace("</script", "<\\/script").strip()


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
