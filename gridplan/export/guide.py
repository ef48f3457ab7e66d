"""What a route sheet says turn by turn: streets, stops and breaks in the order they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gridplan.export.places import place_visits
from gridplan.export.times import write_band
from gridplan.export.trips import Trip
from gridplan.export.turns import Leg, Streets, list_legs

ARROWS = {"start": "●", "straight": "↑", "bear_left": "↖", "bear_right": "↗", "left": "←",
          "right": "→", "back": "↓"}

Say = Callable[..., str]
# A stop so near to a corner is at the corner.
_CORNER_M = 3.0
# A leg of which so much is required is required.
_WHOLE = 0.9


@dataclass(frozen=True)
class Step:
    """One line of the guide.

    Attributes
    ----------
    mark
        The arrow of a turn, or the number of a stop.
    text
        What to do.
    at_m
        Metres from the start of the route.
    length_m
        Of the leg; 0 for anything else.
    required_m
        How much of the leg is required.
    stop
        Whether ``mark`` is the number of a stop.
    """

    mark: str
    text: str
    at_m: float
    length_m: float = 0.0
    required_m: float = 0.0
    stop: bool = False


def list_steps(trip: Trip, streets: Streets, say: Say, show: Callable[[str], str]) -> list[Step]:
    """Return the guide of a trip.

    Parameters
    ----------
    say
        Returns a text of the catalogue.
    show
        Makes the name of a road harmless.
    """
    legs = list_legs(trip.line, streets)
    where = place_visits(trip).tolist()
    steps = [_tell_leg(leg, trip, where, say, show) for leg in legs]
    calls: list[Step] = []
    for visit, at_m in zip(trip.visits, where, strict=True):
        if visit.kind == "stop":
            told = f"{visit.name or visit.key} · {write_band(visit.arrive_min)}"
            if visit.stay_min:
                told += f" · {say('minutes', count=visit.stay_min)}"
            calls.append(Step(str(visit.number), told, at_m, stop=True))
        elif visit.kind == "break":
            calls.append(Step("–", say("turn_break", count=visit.stay_min), at_m))
    # A stop at a corner comes before the turn, but the start before all. Visits keep their order.
    ordered = sorted([*((s.at_m if k else -2 * _CORNER_M, 1, k, s) for k, s in enumerate(steps)),
                      *((s.at_m - _CORNER_M, 0, k, s) for k, s in enumerate(calls))],
                     key=lambda t: t[:3])
    length_m = float(trip.line.length)
    ends = trip.station is not None and trip.station.distance(trip.line.interpolate(length_m)) < 50
    last = Step("■", say("turn_end" if ends else "turn_end_plain"), length_m)
    return [*(t[3] for t in ordered), last]


def _tell_leg(leg: Leg, trip: Trip, where: list[float], say: Say,
              show: Callable[[str], str]) -> Step:
    street = show(leg.street) if leg.street else say("unnamed" if leg.road else "no_road")
    text = say(f"turn_{leg.turn}", street=street, compass=say(f"compass_{leg.compass}"))
    required = sum(v.shape.length for v, at in zip(trip.visits, where, strict=True)
                   if v.kind == "street" and v.shape is not None and leg.at_m <= at < leg.end_m)
    if 0 < required < _WHOLE * leg.length_m:
        text += f" · {say('required_here', metres=f'{required:,.0f}')}"
    return Step(ARROWS[leg.turn], text, leg.at_m, leg.length_m, min(required, leg.length_m))
