"""How QGIS draws a plan: one style per layer, with titles and legends in the user's language.

The styles are small QML documents for QGIS 3.22 and later, kept in the table ``layer_styles``
that QGIS reads by itself when it opens the file.
"""

from __future__ import annotations

import hashlib
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from gridplan.i18n import translate
from gridplan.layers import BARRIERS, LAYERS, ROAD_CLASS

_OWNER = "gridplan"
_VERSION = "3.22.0-Białowieża"
_CALM = ("#eef4f0", "#d5e6dd", "#b3d1c5", "#8ab7ab", "#5f9a92")
_INK, _PAPER, _WARN, _GREY = "#2d3436", "#ffffff", "#c0563b", "#9aa0a6"
_DEFAULT_RANGE = (300, 500)

_CREATE = """CREATE TABLE IF NOT EXISTS layer_styles (
 "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "f_table_catalog" TEXT(256),
 "f_table_schema" TEXT(256), "f_table_name" TEXT(256), "f_geometry_column" TEXT(256),
 "styleName" TEXT(30), "styleQML" TEXT, "styleSLD" TEXT, "useAsDefault" BOOLEAN,
 "description" TEXT, "owner" TEXT(30), "ui" TEXT(30),
 "update_time" DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"""
_COLUMNS = ('"f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column", '
            '"styleName", "styleQML", "styleSLD", "useAsDefault", "description", "owner", "ui", '
            '"update_time"')


def column_title(layer: str, column: str, lang: str = "en") -> str:
    """Return what a column is called in ``lang``.

    >>> column_title("grids", "households", "zh")
    '户数'
    """
    key = f"layers.{layer}.{column}"
    title = translate(key, lang)
    return column if title == key else title


def style_layer(layer: str, geometry: str, run: Mapping[str, str], lang: str = "en") -> str:
    """Return the QML of a layer.

    Parameters
    ----------
    layer
        A layer of the contract.
    geometry
        Its geometry type in the file, upper case (``POLYGON``); "" for a table.
    run
        The run table; its range sets the classes of the grids.
    lang
        ``en`` or ``zh``.
    """
    root = ET.Element("qgis", version=_VERSION, styleCategories="Symbology|Labeling|Fields")
    if geometry:
        root.extend(_drawing(layer, geometry, run, lang))
    aliases = ET.SubElement(root, "aliases")
    for index, column in enumerate(LAYERS[layer].names):
        # The file's own row number comes first, so the columns count from 1.
        ET.SubElement(aliases, "alias", field=column, index=str(index + 1),
                      name=column_title(layer, column, lang))
    text: str = ET.tostring(root, encoding="unicode")
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + text + "\n"


def write_styles(db: sqlite3.Connection, styles: Mapping[str, str], date: str,
                 carry: bool) -> None:
    """Write the styles of a plan; with ``carry``, keep a user's own of the attached ``old``.

    A user's default style of a layer stays the default; ours lies beside it.
    """
    db.execute(_CREATE)
    mine: list[tuple[Any, ...]] = []
    if carry and db.execute("SELECT 1 FROM old.sqlite_master WHERE name = 'layer_styles'"
                            ).fetchone():
        mine = [row for row in db.execute(f"SELECT {_COLUMNS} FROM old.layer_styles ORDER BY id")  # noqa: S608
                if not _is_ours(row)]
    taken = {str(row[2]).lower() for row in mine if row[7] in (1, "1", "true")}
    rows = [("", "", name, "geom" if LAYERS[name].geometry else "", _OWNER, qml, "",
             name not in taken, _mark(qml), _OWNER, None, date) for name, qml in styles.items()]
    marks = ", ".join("?" * 12)
    db.executemany(f"INSERT INTO layer_styles ({_COLUMNS}) VALUES ({marks})", rows + mine)  # noqa: S608
    db.execute("INSERT OR REPLACE INTO gpkg_contents (table_name, data_type, identifier, "
               "description, last_change, srs_id) VALUES ('layer_styles', 'attributes', "
               "'layer_styles', '', ?, 0)", (date,))


def _mark(qml: str) -> str:
    """Mark a style as ours: whoever changes it makes it his own."""
    return f"{_OWNER} {hashlib.sha256(qml.encode()).hexdigest()[:16]}"


def _is_ours(row: tuple[Any, ...]) -> bool:
    return row[8] == _mark(str(row[5]))


# ---- one drawing per layer -----------------------------------------------------------------

def _drawing(layer: str, geometry: str, run: Mapping[str, str], lang: str) -> list[ET.Element]:
    def say(name: str) -> str:
        return translate(f"plan.legend.{name}", lang)

    if layer == "grids":
        label = "coalesce(nullif(\"name\", ''), \"seq\")"
        return [_rules(_grid_rules(run, say)), _label(label, 8, 5)]
    if layer == "communities":
        return [_single(_fill("", _INK, 0.9)), _label('coalesce("name", "community_id")', 11, 8)]
    if layer == "groups":
        return [_single(_fill("", "#5f9a92", 0.25)),
                _label('coalesce("name", "group_id")', 7, 3, nearest=5000)]
    if layer in ("roads", "borders"):
        return [_rules(_road_rules(layer, say))]
    if layer == "barriers":
        return [_rules([
            ("\"kind\" = 'rail'", say("rail"), _line("#3c3c3c", 0.5, "4;2")),
            ("\"kind\" IN ('river', 'water')", say("water"), _line("#3d7ea6", 0.6)),
            ("ELSE", say("wall"), _line("#6b5b4d", 0.4, "1;1"))])]
    if "POINT" in geometry:
        colour, shape = {"gates": ("#6b5b4d", "square"), "entrances": ("#9aa0a6", "circle"),
                         "facilities": ("#8e5ea2", "diamond"), "sites": ("#c8502d", "star"),
                         }.get(layer, (_GREY, "circle"))
        size = {"facilities": 2.4, "sites": 4.5}.get(layer, 1.4)
        return [_single(_marker(colour, size, shape))]
    if "LINE" in geometry:
        return [_single(_line(_INK, 0.3))]
    fill, edge, width = {
        "buildings": ("#d9d9d9", "#b5b5b5", 0.1), "units": ("", _GREY, 0.1),
        "estates": ("#f3e9d2", "#cbb994", 0.2),
        "specials": ("#e6e0ee", "#b3a6c6", 0.2)}.get(layer, ("", _INK, 0.2))
    return [_single(_fill(fill, edge, width))]


def _grid_rules(run: Mapping[str, str], say: Any) -> list[tuple[str, str, ET.Element]]:
    """Five even classes over the range, and above them the exceptions by kind."""
    told = [int(end) for end in run.get("range:urban", "").split("/") if end.isdigit()]
    low, high = told if len(told) == 2 else _DEFAULT_RANGE
    edges = [low + (high - low) * i // len(_CALM) for i in range(len(_CALM) + 1)]
    rules = []
    for i, colour in enumerate(_CALM):
        parts = [f'"households" >= {edges[i]}'] if i else []
        if i < len(_CALM) - 1:
            parts.append(f'"households" < {edges[i + 1]}')
        text = f"{edges[i]}–{edges[i + 1] - (i < len(_CALM) - 1)}"
        rules.append((" AND ".join(parts), text, _fill(colour, _INK, 0.25)))
    rules += [("\"kind\" = 'special'", say("special"), _fill("#e6e0ee", "#8c7aa8", 0.3)),
              ("\"status\" NOT IN ('ok', 'special', 'empty')", say("exception"),
               _hatch(_WARN, 0.5)),
              ("\"status\" = 'empty'", say("empty"), _hatch(_GREY, 0.3))]
    return rules


def _road_rules(layer: str, say: Any) -> list[tuple[str, str, ET.Element]]:
    colours = {4: "#c98b4a", 3: "#d9b26a", 2: "#b9b08f", 1: "#a8a8a8"}
    widths = {4: 1.0, 3: 0.7, 2: 0.5, 1: 0.25}
    rules = []
    for rank in (4, 3, 2, 1):
        classes = [name for name, value in ROAD_CLASS.items() if value == rank]
        title = f"class_{rank}"
        if layer == "borders" and rank == 4:
            classes += BARRIERS
            title = "class_4_border"
        listed = ", ".join(f"'{c}'" for c in classes)
        rules.append((f'"road_class" IN ({listed})', say(title),
                      _line(colours[rank], widths[rank])))
    rules.append(("ELSE", say("off_road" if layer == "borders" else "class_1"),
                  _line(_WARN if layer == "borders" else colours[1], 0.35,
                        "3;2" if layer == "borders" else "")))
    return rules


# ---- the words of QML ----------------------------------------------------------------------

def _rgba(colour: str) -> str:
    return ",".join(str(int(colour[i:i + 2], 16)) for i in (1, 3, 5)) + ",255"


def _options(parent: ET.Element, **values: object) -> None:
    held = ET.SubElement(parent, "Option", type="Map")
    for name, value in values.items():
        ET.SubElement(held, "Option", type="QString", name=name, value=str(value))


def _symbol(kind: str, drawer: str, **values: object) -> ET.Element:
    symbol = ET.Element("symbol", type=kind, name="0", alpha="1", clip_to_extent="1",
                        force_rhr="0")
    layer = ET.SubElement(symbol, "layer", {"class": drawer, "enabled": "1", "locked": "0",
                                            "pass": "0"})
    _options(layer, **values)
    return symbol


def _fill(colour: str, edge: str, width: float) -> ET.Element:
    return _symbol("fill", "SimpleFill", color=_rgba(colour or _PAPER),
                   style="solid" if colour else "no", outline_color=_rgba(edge),
                   outline_style="solid", outline_width=width, outline_width_unit="MM",
                   joinstyle="round")


def _line(colour: str, width: float, dashes: str = "") -> ET.Element:
    return _symbol("line", "SimpleLine", line_color=_rgba(colour), line_style="solid",
                   line_width=width, line_width_unit="MM", capstyle="round", joinstyle="round",
                   use_custom_dash=int(bool(dashes)), customdash=dashes or "5;2",
                   customdash_unit="MM")


def _marker(colour: str, size: float, shape: str) -> ET.Element:
    return _symbol("marker", "SimpleMarker", color=_rgba(colour), name=shape, size=size,
                   size_unit="MM", outline_color=_rgba(_PAPER), outline_style="solid",
                   outline_width=0.2, outline_width_unit="MM")


def _hatch(colour: str, width: float) -> ET.Element:
    """Slanted lines and an outline of the same colour."""
    symbol = _symbol("fill", "LinePatternFill", angle=45, distance=2, distance_unit="MM",
                     color=_rgba(colour), line_width=width / 2, line_width_unit="MM")
    inner = _line(colour, width / 2)
    inner.set("name", "@0@0")
    symbol[0].append(inner)
    outline = _fill("", colour, width)[0]
    symbol.append(outline)
    return symbol


def _single(symbol: ET.Element) -> ET.Element:
    renderer = ET.Element("renderer-v2", type="singleSymbol", enableorderby="0",
                          forceraster="0", symbollevels="0")
    ET.SubElement(renderer, "symbols").append(symbol)
    return renderer


def _rules(rules: list[tuple[str, str, ET.Element]]) -> ET.Element:
    renderer = ET.Element("renderer-v2", type="RuleRenderer", enableorderby="0",
                          forceraster="0", symbollevels="0")
    held = ET.SubElement(renderer, "rules", key="all")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (condition, text, symbol) in enumerate(rules):
        ET.SubElement(held, "rule", key=f"rule{number}", filter=condition, label=text,
                      symbol=str(number))
        symbol.set("name", str(number))
        symbols.append(symbol)
    return renderer


def _label(expression: str, size: int, priority: int, nearest: int = 0) -> ET.Element:
    """Label with plain text: a name that looks like HTML stays a name.

    With ``nearest`` it is shown only where the scale is 1:``nearest`` or larger.
    """
    labeling = ET.Element("labeling", type="simple")
    settings = ET.SubElement(labeling, "settings", calloutType="simple")
    style = ET.SubElement(settings, "text-style", fieldName=expression, isExpression="1",
                          allowHtml="0", fontSize=str(size), fontSizeUnit="Point",
                          fontFamily="Noto Sans CJK SC", textColor=_rgba(_INK), textOpacity="1",
                          multilineHeight="1", namedStyle="Regular")
    ET.SubElement(style, "text-buffer", bufferDraw="1", bufferSize="0.8", bufferSizeUnits="MM",
                  bufferColor=_rgba(_PAPER), bufferOpacity="1", bufferNoFill="1")
    ET.SubElement(settings, "text-format", multilineAlign="1")
    ET.SubElement(settings, "placement", placement="1", centroidInside="1",
                  fitInPolygonOnly="0", priority=str(priority))
    ET.SubElement(settings, "rendering", drawLabels="1", obstacle="0",
                  scaleVisibility=str(int(nearest > 0)), scaleMin="1", scaleMax=str(nearest),
                  obstacleFactor="1", obstacleType="1", maxNumLabels="2000")
    return labeling
