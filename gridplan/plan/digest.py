"""Digests that tell whether what a layer was made from has changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridplan.layers import LAYERS, Source
from gridplan.plan.model import Plan


def digest_layer(frame: pd.DataFrame, layer: str = "") -> str:
    """Return the SHA-256 of the values of a layer, whatever the order of its rows.

    Rows are taken in the order of the key (the first columns), polygons in normal form, and
    with ``layer`` only the columns of the contract count.

    Examples
    --------
    >>> one = pd.DataFrame({"key": ["a", "b"], "value": [1.0, None]})
    >>> digest_layer(one) == digest_layer(one.iloc[::-1])
    True
    """
    geometry = frame.geometry.name if isinstance(frame, gpd.GeoDataFrame) else None
    columns = [c for c in frame.columns if c != geometry]
    if layer:
        columns = [c for c in LAYERS[layer].names if c in columns]
    keys = columns[:LAYERS[layer].keys if layer else 1]
    ordered = frame.sort_values(keys, kind="stable") if keys else frame
    digest = hashlib.sha256()
    for column in columns:
        digest.update(f"{column}\0{len(ordered)}\0".encode())
        _add(digest, _texts(ordered[column]))
    if geometry is not None:
        shapes = shapely.normalize(np.asarray(ordered.geometry.array))
        _add(digest, [b if b is not None else b"" for b in shapely.to_wkb(
            shapes, byte_order=1, output_dimension=2, include_srid=False)])
    return digest.hexdigest()


def _texts(values: pd.Series) -> list[bytes]:
    """Write each value so that equal values are equal whatever their column type."""
    missing = values.isna().to_numpy()
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        # + 0.0 makes one zero of the two
        plain = values.to_numpy(dtype=float, na_value=np.nan) + 0.0
        texts = [repr(v).encode() for v in plain.tolist()]
    else:
        texts = [str(v).encode("utf-8", "surrogatepass") for v in values.tolist()]
    return [b"\0" if gone else text for text, gone in zip(texts, missing, strict=True)]


def _add(digest: hashlib._Hash, parts: list[bytes]) -> None:
    digest.update(np.array([len(p) for p in parts], dtype="<i8").tobytes())
    digest.update(b"".join(parts))


def digest_rows(plan: Plan, layers: Iterable[str]) -> dict[str, str]:
    """Return the rows ``digest:<layer>`` of the run table for those layers the plan has."""
    return {f"digest:{name}": digest_layer(plan.layers[name], name)
            for name in layers if name in plan.layers}


def source_rows(sources: Iterable[Source]) -> dict[str, str]:
    """Return the rows ``input:<n>:<file>:<layer>`` of the run table, numbered from 1."""
    return {f"input:{n}:{s.name}:{s.layer}": s.sha256 for n, s in enumerate(sources, start=1)}
