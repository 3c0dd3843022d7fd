"""Draws the loss curves of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_PAPER, _INK, _MUTED, _GRID = "#fbfaf7", "#22252e", "#7b7f8c", "#e6e3dc"
_TRAIN, _HELD_OUT = "#9aa9c7", "#d1495b"

Curve = list[tuple[float, float]]
"""Points of an epoch and a loss in nats per token."""


def draw_losses(file: Path, history: Sequence[Mapping[str, float]], name: str) -> bool:
    """Draw training and validation loss over epochs as a PNG of 1600 by 900 pixels.

    Args:
        file: Where to write it.
        history: The Trainer's ``state.log_history``.
        name: The checkpoint's name, for the title.

    Returns:
        Whether there was anything to draw; without a single loss no file is written.
    """
    learnt, held_out = _curve(history, "loss"), _curve(history, "eval_loss")
    if not learnt and not held_out:
        return False
    # A Figure of its own, without pyplot, touches neither a display nor global state.
    figure = Figure(figsize=(10, 5.625), dpi=160, facecolor=_PAPER)
    axes = figure.add_axes((0.075, 0.12, 0.755, 0.68))
    _dress(figure, axes, name)
    _draw_curve(axes, learnt, _TRAIN, "songs it learns", width=2.2, marker="")
    _draw_curve(axes, held_out, _HELD_OUT, "songs held out", width=2.8, marker="o")
    if held_out:
        _mark_best(axes, held_out)
    axes.set_xlim(left=0)
    axes.margins(y=0.15)
    figure.savefig(file)
    return True


def _curve(history: Sequence[Mapping[str, float]], key: str) -> Curve:
    # One evaluation may be logged twice: after the last epoch and again of the best model, which is loaded by then.
    points = {entry["epoch"]: entry[key] for entry in reversed(history) if key in entry and "epoch" in entry}
    return sorted(points.items())


def _dress(figure: Figure, axes: Axes, name: str) -> None:
    figure.text(0.03, 0.925, name, fontsize=19, fontweight="bold", color=_INK, va="center")
    figure.text(0.03, 0.86, "Loss per token in nats: lower is better", fontsize=12, color=_MUTED, va="center")
    axes.set_facecolor(_PAPER)
    axes.set_xlabel("Epoch", color=_MUTED, fontsize=11)
    axes.grid(axis="y", color=_GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.tick_params(colors=_MUTED, length=0, labelsize=11)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_GRID)


def _draw_curve(axes: Axes, curve: Curve, color: str, label: str, *, width: float, marker: str) -> None:
    if not curve:
        return
    epochs, losses = zip(*curve, strict=True)
    axes.plot(epochs, losses, color=color, linewidth=width, marker=marker, markersize=6, solid_capstyle="round")
    axes.annotate(
        label,
        curve[-1],
        xytext=(14, 0),
        textcoords="offset points",
        color=color,
        fontsize=12,
        fontweight="bold",
        va="center",
        annotation_clip=False,
    )


def _mark_best(axes: Axes, curve: Curve) -> None:
    """Ring the lowest point, which is the epoch that is kept, and write its loss beneath."""
    epoch, loss = min(curve, key=lambda point: point[1])
    axes.plot([epoch], [loss], marker="o", markersize=15, markerfacecolor="none", markeredgecolor=_INK, linewidth=0)
    axes.annotate(
        f"kept: {loss:.2f}",
        (epoch, loss),
        xytext=(0, -14),
        textcoords="offset points",
        color=_INK,
        fontsize=11.5,
        fontweight="bold",
        ha="center",
        va="top",
    )
