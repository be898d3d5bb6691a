"""One look for every figure: a white card that reads the same on a projector and in print.

The card is white in dark JupyterLab too: a transparent figure needs one ink for two backgrounds,
which leaves thin grey curves on both, and the picture of a figure should be the figure.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import plotly.graph_objects as go

#: Numbers as they come: from JAX or from NumPy.
AnyArray = jax.Array | np.ndarray

INK, QUIET_INK, GRID = "#1f2933", "#52606d", "#e4e7eb"
STABLE_FILL, UNSTABLE_FILL = "rgba(0, 114, 178, 0.07)", "rgba(213, 94, 0, 0.08)"
UNSTABLE = "#d55e00"

#: Okabe and Ito's colours, told apart with every common colour vision; the yellow is left out
#: because it does not show on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#6b7280")

#: Colour and dash of each name that figures compare. Within a family (models, agents, floors,
#: augmentations) no two share a colour, and dashes repeat the distinction for black-and-white
#: print.
METHODS: dict[str, tuple[str, str]] = {
    "truth": (INK, "solid"),
    "koopman": (PALETTE[0], "solid"),
    "gru": (PALETTE[1], "dash"),
    "transformer": (PALETTE[2], "dashdot"),
    "mlp": (PALETTE[4], "longdash"),
    "state-space": (PALETTE[6], "dot"),
    "bilinear": (PALETTE[5], "solid"),
    "dense": (PALETTE[3], "longdashdot"),
    "persistence": ("#8a94a0", "dot"),
    "mean": ("#b0a08a", "dot"),
    "tsrl": (PALETTE[3], "solid"),
    "kfc": (PALETTE[0], "solid"),
    "cql": (PALETTE[1], "dash"),
    "bc": (PALETTE[7], "dot"),
    "td3-bc": (PALETTE[2], "dashdot"),
    "iql": (PALETTE[4], "longdash"),
    "td3": (PALETTE[5], "dash"),
    "sac": (PALETTE[6], "dashdot"),
    "mopo": ("#882255", "longdashdot"),
    "tsrl, no-p": ("#332288", "longdash"),
    "spectral tsrl": ("#999933", "solid"),
    "td3-bc, spectral": ("#6699CC", "solid"),
    "td3-bc, noise": ("#CC6677", "dot"),
    "koopman-tdmpc": (PALETTE[0], "solid"),
    "tdmpc": (PALETTE[1], "dash"),
    "tdmpc, horizon 20": (PALETTE[4], "longdash"),
    "koopman-tdmpc, modes for latent": (PALETTE[5], "dashdot"),
    "koopman-tdmpc, plans of 20": ("#332288", "dot"),
    "koopman-tdmpc, paper's spectrum": ("#999933", "dash"),
    "koopman-tdmpc, as in the paper": ("#882255", "longdash"),
    "tdmpc, horizon 20, losses of 5": (PALETTE[2], "dashdot"),
    "koopman-tdmpc, horizon 5": (PALETTE[7], "dot"),
    "koopman-tdmpc, losses of 5": (PALETTE[3], "longdashdot"),
    "koopman-spr": (PALETTE[0], "solid"),
    "spr": (PALETTE[4], "longdash"),
    "sac-pixels": (PALETTE[3], "dashdot"),
    "spectral": (PALETTE[0], "solid"),
    "commutator": (PALETTE[1], "dash"),
    "eigenspace": (PALETTE[2], "dashdot"),
    "polynomial": (PALETTE[4], "longdash"),
    "noise": (PALETTE[3], "dot"),
    "random": (PALETTE[7], "dot"),
    "spectral, random": (PALETTE[5], "dot"),
    "common noise": (PALETTE[6], "solid"),
}

_AXIS = {
    "showline": True,
    "linecolor": QUIET_INK,
    "linewidth": 1,
    "ticks": "outside",
    "ticklen": 5,
    "tickcolor": QUIET_INK,
    "gridcolor": GRID,
    "zeroline": False,
    "automargin": True,
    "title": {"standoff": 8, "font": {"size": 14}},
}

#: Passed explicitly by `figure`; plotly's own default stays what it was.
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "DejaVu Sans, Verdana, Arial, sans-serif", "size": 13, "color": INK},
        "title": {
            "font": {"size": 16}, "x": 0, "xref": "paper", "xanchor": "left",
            "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 16},
        },
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "colorway": PALETTE,
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "margin": {"l": 64, "r": 24, "t": 56, "b": 56},
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "white", "font": {"size": 13, "color": INK}},
        "legend": {"bgcolor": "rgba(255, 255, 255, 0.8)", "font": {"size": 13}},
        "modebar": {  # a column in the margin: a row of buttons covers the title
            "orientation": "v", "color": QUIET_INK, "activecolor": INK,
            "bgcolor": "rgba(255, 255, 255, 0)",
            "remove": ["zoomin", "zoomout", "autoscale", "select", "lasso"],
        },
        "annotationdefaults": {"font": {"size": 13}, "showarrow": False},
    }
)  # fmt: skip

#: A legend in rows below the plot, clear of title and toolbar in a narrow window too.
LEGEND_BELOW: dict[str, Any] = {
    "orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom", "yref": "container"
}  # fmt: skip


def themed(fig: go.Figure, title: str = "", **layout: Any) -> go.Figure:
    """Give a figure the project's template, a title and further layout properties.

    `uirevision` keeps the reader's zoom when the figure is redrawn with other data.
    """
    fig.update_layout(template=TEMPLATE, title_text=title, uirevision="kept", **layout)
    return fig


def colour(name: str, position: int = 0) -> str:
    """Colour of a method; an unknown name gets the palette's entry at `position`."""
    known = METHODS.get(name.lower())
    return known[0] if known else PALETTE[position % len(PALETTE)]


def line(name: str, position: int = 0, width: float = 2.0) -> dict[str, Any]:
    """Line style of a method, as plotly's `line` property."""
    known = METHODS.get(name.lower())
    dash = known[1] if known else "solid"
    return {"color": colour(name, position), "dash": dash, "width": width}


def fill(name: str, position: int = 0, opacity: float = 0.15) -> str:
    """The method's colour, see-through, for bands."""
    red, green, blue = (int(colour(name, position)[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
