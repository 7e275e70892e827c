"""Arrays in, matplotlib figures out; one style for the whole book.

Figures are made for a column about 7 inches wide and stay readable at 400 pixels: few panels, no legend over data,
colours that differ in lightness as well as in hue.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "confusion_matrix", "face_grid", "face_panels", "face_walks", "filmstrip", "heat_map", "labelled_face_rows",
    "loss_curves", "network_drawing", "projection", "roc_curves", "score_dots", "show_faces", "true_places",
    "use_style", "watched_curves", "watched_distances",
]

WIDTH = 7.0  # inches, of a full-width figure


def use_style() -> None:
    """Set the book's look; each notebook calls it once."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.9)
    plt.rcParams.update({
        "figure.dpi": 110, "savefig.bbox": "tight", "figure.constrained_layout.use": True, "axes.titlesize": "medium",
        "axes.spines.top": False, "axes.spines.right": False, "image.interpolation": "nearest",
    })


def _tile(images: np.ndarray, n_columns: int, gap: int = 2) -> np.ndarray:
    """Lay images (n, h, w, 3) out row by row on a white sheet."""
    n, height, width, _ = images.shape
    n_rows = max(1, -(-n // n_columns))  # a row for no face at all stays white
    sheet = np.full((n_rows * (height + gap) - gap, n_columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // n_columns) * (height + gap), (index % n_columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def show_faces(ax: Axes, images: np.ndarray, n_columns: int) -> None:
    """Draw images uint8 (n, h, w, 3) row by row into an axes of one's own."""
    _show(ax, _tile(np.asarray(images), n_columns))


def _show(ax: Axes, sheet: np.ndarray) -> None:
    ax.imshow(sheet, interpolation="lanczos")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    sns.despine(ax=ax, left=True, bottom=True)


def face_grid(images: np.ndarray, n_columns: int = 12, title: str = "", ax: Axes | None = None) -> Figure:
    """Show faces row by row.

    Parameters
    ----------
    images : ndarray of shape (n, 64, 64, 3), dtype uint8
    n_columns : int
        Faces in a row.
    title : str
        Above the grid.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    """
    sheet = _tile(np.asarray(images), n_columns)
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, WIDTH * sheet.shape[0] / sheet.shape[1] + (0.3 if title else 0)))
    _show(ax, sheet)
    ax.set_title(title, loc="left")
    return ax.figure


def labelled_face_rows(rows: Mapping[str, np.ndarray], n_columns: int) -> Figure:
    """Show one row of faces per label, the label at its left."""
    height = WIDTH / n_columns * 0.95
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH, height * len(rows)), squeeze=False)
    for ax, (label, images) in zip(axes.flat, rows.items(), strict=True):
        _show(ax, _tile(np.asarray(images), n_columns))
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize="small")
    return figure


def face_panels(panels: Mapping[str, Mapping[str, np.ndarray]], n_across: int = 2) -> Figure:
    """Show short rows of faces, each face with its caption below, each row with its title above.

    Parameters
    ----------
    panels : mapping
        Title -> {caption: image uint8 (h, w, 3)}. Captions that the panel below repeats are left out.
    n_across : int
        Panels beside each other.
    """
    titles, n_down = list(panels), -(-len(panels) // n_across)
    widest = max(len(panel) for panel in panels.values())
    face = WIDTH / n_across / widest
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, n_down * (face + 0.3) + 0.2), squeeze=False)
    for ax in axes.flat[len(titles):]:
        ax.set_axis_off()
    for index, (ax, title) in enumerate(zip(axes.flat, titles, strict=False)):
        images = np.stack(list(panels[title].values()))
        _show(ax, _tile(images, len(images)))
        ax.set_xlim(-0.5, widest * (images.shape[2] + 2) - 2.5)  # a shorter row keeps the size of its faces
        ax.set_anchor("W")
        ax.set_title(title, loc="left", pad=3)
        below = titles[index + n_across] if index + n_across < len(titles) else ""
        if not below or list(panels[below]) != list(panels[title]):
            places = (np.arange(len(images)) + 0.5) * (images.shape[2] + 2) - 1.5
            ax.set_xticks(places, list(panels[title]), fontsize="small")
            ax.tick_params(length=0, pad=2)
    return figure


def true_places(images: Mapping[str, np.ndarray], truth: pd.DataFrame, n_columns: int = 3) -> Figure:
    """Show faces with their box and landmarks.

    Parameters
    ----------
    images : mapping
        Title -> image uint8 (h, w, 3).
    truth : DataFrame
        One row per image: ``box_left, box_top, box_right, box_bottom`` and ``landmark_<nn>_x``, ``landmark_<nn>_y``,
        pixels.
    n_columns : int
        Faces in a row.
    """
    n_rows = -(-len(images) // n_columns)
    size = (WIDTH, n_rows * (WIDTH / n_columns + 0.3))
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False)
    for ax in axes.flat[len(images):]:
        ax.set_axis_off()
    for ax, (title, image), (_, row) in zip(axes.flat, images.items(), truth.iterrows(), strict=False):
        _show(ax, image)
        left, top, right, bottom = row[["box_left", "box_top", "box_right", "box_bottom"]]
        ax.add_patch(plt.Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#e69f00", linewidth=1.4))
        x, y = (row.filter(regex=rf"^landmark_\d+_{axis}$").to_numpy(float) for axis in "xy")
        ax.plot(x, y, "o", color="#56b4e9", markeredgecolor="#10324a", markeredgewidth=0.4, markersize=2.4)
        ax.set_title(title, loc="left", pad=3)
    return figure


def filmstrip(steps: np.ndarray, frames: np.ndarray, n_faces: int = 6, n_columns: int = 9) -> Figure:
    """Show the same noise over training.

    Parameters
    ----------
    steps : ndarray of shape (n_frames,)
    frames : ndarray of shape (n_frames, n, 64, 64, 3), dtype uint8
    n_faces : int
        How many of the n faces to show, one per row.
    n_columns : int
        At most so many of the frames, evenly spaced.
    """
    shown = np.linspace(0, len(steps) - 1, min(n_columns, len(steps))).round().astype(int)
    steps, frames = steps[shown], frames[shown]
    figure, axes = plt.subplots(1, len(steps), figsize=(WIDTH, WIDTH * n_faces / len(steps) + 0.35), squeeze=False)
    for ax, step, frame in zip(axes.flat, steps, frames, strict=True):
        _show(ax, _tile(frame[:n_faces], 1))
        ax.set_title(f"{step:,}", fontsize="small")
    figure.supxlabel("training step", fontsize="small")
    return figure


def loss_curves(history: pd.DataFrame, ax: Axes | None = None, window: int = 15) -> Figure:
    """Draw both losses per step, faint, and their running median.

    Parameters
    ----------
    history : DataFrame
        Columns ``step, loss_d, loss_g``.
    window : int
        Steps of the running median.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 2.8))
    for column, label, style in (("loss_d", "discriminator", "-"), ("loss_g", "generator", "--")):
        smooth = history[column].rolling(window, center=True, min_periods=1).median()
        (line,) = ax.plot(history["step"], smooth, style, label=label)
        ax.plot(history["step"], history[column], color=line.get_color(), alpha=0.2, linewidth=0.7)
    ax.set(xlabel="step", ylabel="loss (nats)", ylim=(0, None))
    ax.legend(frameon=False, ncols=2)
    return ax.figure


def watched_curves(looks: pd.DataFrame, best_step: int, collapse_ratio: float) -> Figure:
    """Draw what was seen of the samples during training: their distance to real faces, and how varied they are.

    Parameters
    ----------
    looks : DataFrame
        Columns ``step, frechet, diversity_ratio``; see `fergan.watch`.
    best_step : int
        The look to mark.
    collapse_ratio : float
        The variety below which samples count as collapsed.
    """
    figure, (distance, variety) = plt.subplots(1, 2, figsize=(WIDTH, 2.6), sharex=True)
    distance.plot(looks["step"], looks["frechet"], "o-", markersize=3.5)
    best = looks[looks["step"] == best_step]
    distance.plot(best["step"], best["frechet"], "D", color="C1", markersize=8, zorder=0, label="nearest")
    distance.set(xlabel="step", ylabel="Fréchet distance", ylim=(0, None))
    distance.legend(frameon=False)
    variety.axhline(1, color="0.6", linewidth=0.8)
    variety.axhline(collapse_ratio, color="C3", linewidth=1, linestyle="--", label="collapse")
    variety.plot(looks["step"], looks["diversity_ratio"], "o-", markersize=3.5)
    variety.set(xlabel="step", ylabel="variety, real faces = 1", ylim=(0, None))
    variety.legend(frameon=False)
    return figure


def watched_distances(looks: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the distance to real faces over each generator's training.

    Parameters
    ----------
    looks : mapping
        Generator -> columns ``step, frechet``.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 3.2))
    for index, (name, seen) in enumerate(looks.items()):
        share = 100 * seen["step"] / seen["step"].max()
        # Line styles and markers tell the curves apart where colours cannot.
        look = "osD^vPX*"[index % 8] + ("-", "--", ":")[index // 3 % 3]
        ax.plot(share, seen["frechet"], look, markersize=4, label=name)
    ax.set(xlabel="share of the training done (%)", ylabel="Fréchet distance", ylim=(0, None))
    ax.legend(frameon=False, fontsize="small", ncols=2)
    return figure


def roc_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], areas: Mapping[str, float]) -> Figure:
    """Draw one ROC curve per class.

    Parameters
    ----------
    curves : mapping
        Class -> (false-positive rates, true-positive rates).
    areas : mapping
        Class -> area under its curve, for the legend.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6))
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    styles = ["-", "--", "-.", ":"]
    colors = sns.color_palette("colorblind", len(curves))
    for index, (name, (false_rate, true_rate)) in enumerate(curves.items()):
        label = f"{name} {areas[name]:.3f}"
        ax.plot(false_rate, true_rate, styles[index % 4], color=colors[index], label=label, linewidth=1.4)
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.legend(title="area under the curve", frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
    return figure


def confusion_matrix(counts: pd.DataFrame, title: str = "", ax: Axes | None = None) -> Figure:
    """Draw a confusion matrix: counts as numbers, share of the true class (row) as shade.

    Parameters
    ----------
    counts : DataFrame of shape (n_classes, n_classes)
        True classes in rows, predicted ones in columns; NaN where unknown.
    title : str
        Above the matrix.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH * 0.62, WIDTH * 0.56))
    shares = counts.div(counts.sum(axis=1).replace(0, np.nan), axis=0)
    text = counts.map(lambda count: "" if pd.isna(count) else f"{count:.0f}")
    sns.heatmap(
        shares, annot=text.to_numpy(), fmt="", cmap="Blues", vmin=0, vmax=1, cbar=False, square=True, ax=ax,
        annot_kws={"fontsize": "small"}, linewidths=0.5, linecolor="white",
    )
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title(title, loc="left")
    ax.tick_params(labelsize="small")
    return ax.figure


def score_dots(
    table: pd.DataFrame, y: str, hue: str, xlabel: str, chance: float | None = None, ax: Axes | None = None
) -> Figure:
    """Draw scores with intervals as dots, one line per `y`, one colour and marker per `hue`.

    Parameters
    ----------
    table : DataFrame
        Columns `y`, `hue`, ``value``, ``low``, ``high``; the interval may be missing.
    y, hue : str
        Columns for the lines and the colours.
    xlabel : str
        What the score is.
    chance : float, optional
        Where guessing would land.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    """
    lines, groups = list(dict.fromkeys(table[y])), list(dict.fromkeys(table[hue]))
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 1.1 + 0.42 * len(lines) * max(1, len(groups) / 2.5)))
    offsets = np.linspace(-0.28, 0.28, len(groups)) if len(groups) > 1 else [0.0]
    colors = sns.color_palette("colorblind", len(groups))
    for group, offset, color, marker in zip(groups, offsets, colors, "osD^vPX*" * 4, strict=False):
        part = table[table[hue] == group]
        place = np.array([lines.index(value) for value in part[y]]) + offset
        ax.hlines(place, part["low"], part["high"], color=color, linewidth=2, alpha=0.6)
        ax.plot(part["value"], place, marker, color=color, label=group, markersize=5.5)
    if chance is not None:
        ax.axvline(chance, color="0.4", linestyle=":", linewidth=1)
        ax.annotate("chance", (chance, -0.7), fontsize="x-small", color="0.4", ha="center", va="bottom")
    ax.set(yticks=range(len(lines)), yticklabels=lines, xlabel=xlabel, ylim=(len(lines) - 0.4, -0.7))
    ax.legend(frameon=False, ncols=len(groups), loc="lower left", bbox_to_anchor=(0, 1), fontsize="small")
    return ax.figure


def heat_map(table: pd.DataFrame, label: str, low: float = 0.0, high: float = 1.0, center: float | None = None) -> Figure:
    """Draw a table of scores as shaded cells with their numbers; empty cells are NaN.

    Parameters
    ----------
    table : DataFrame
        Its index and columns label the cells.
    label : str
        What the shade means.
    low, high, center : float
        Ends (and middle) of the shade.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 0.9 + 0.32 * len(table)))
    sns.heatmap(
        table, annot=True, fmt=".2f", cmap="viridis" if center is None else "RdBu", vmin=low, vmax=high, center=center,
        ax=ax, annot_kws={"fontsize": "small"}, linewidths=0.5, linecolor="white", cbar_kws={"label": label},
    )
    ax.set(xlabel="", ylabel="")
    ax.tick_params(labelsize="small", rotation=0)
    return figure


def projection(points: np.ndarray, classes: Sequence[str], axis_labels: tuple[str, str]) -> Figure:
    """Scatter two-dimensional points, one colour and marker per class.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
    classes : sequence of n str
    axis_labels : pair of str
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6))
    order = list(dict.fromkeys(sorted(classes)))
    sns.scatterplot(
        x=points[:, 0], y=points[:, 1], hue=list(classes), style=list(classes), hue_order=order, style_order=order,
        ax=ax, s=16, linewidth=0, alpha=0.8,
    )
    ax.set(xlabel=axis_labels[0], ylabel=axis_labels[1])
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small", markerscale=1.4)
    return figure


def face_walks(images: np.ndarray, rows: Sequence[str], columns: Sequence[str], xlabel: str) -> Figure:
    """Show faces that change from left to right, one walk per row.

    Parameters
    ----------
    images : ndarray of shape (n_rows, n_columns, 64, 64, 3), dtype uint8
    rows, columns : sequence of str
        What stands beside each row and above each column.
    xlabel : str
        What the columns are.
    """
    n_rows, n_columns, height, width, _ = images.shape
    gap = 2
    figure, ax = plt.subplots(figsize=(WIDTH, WIDTH * n_rows / n_columns + 0.5))
    _show(ax, _tile(images.reshape(-1, height, width, 3), n_columns, gap))
    ax.set_xticks((np.arange(n_columns) + 0.5) * (width + gap) - 1.5, columns, fontsize="large")
    ax.set_yticks((np.arange(n_rows) + 0.5) * (height + gap) - 1.5, rows, fontsize="large")
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0, pad=3, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.set_xlabel(xlabel, fontsize="large")
    return figure


def network_drawing(
    networks: Mapping[str, Sequence[tuple[int, int, int]]], reference: Mapping[str, Sequence[tuple[int, int, int]]],
    features: tuple[str, int, str], note: str = "",
) -> Figure:
    """Draw networks as rows of boxes: the taller, the larger the maps; the longer, the more of them.

    Sides grow with the square root of what they stand for, or the small ones could not be seen.

    Parameters
    ----------
    networks : mapping
        Name -> (channels, height, width) of the input and of what each layer puts out.
    reference : mapping
        The same networks at another width; their channels are written in grey. May be empty.
    features : (str, int, str)
        The network and the position of the layer to highlight, and what is written there.
    note : str
        What the grey numbers are.
    """
    figure, axes = plt.subplots(len(networks), 1, figsize=(5.6, 2.4 * len(networks)), squeeze=False)
    for ax, (name, shapes) in zip(axes.flat, networks.items(), strict=True):
        for index, (channels, height, width) in enumerate(shapes):
            highlighted = (name, index) == features[:2]
            _box(ax, index, channels, height, "#e69f00" if highlighted else "#9ecae1")
            text = f"{height}×{width}\n× {channels}" if height > 1 else f"{channels}"
            place = dict(x=index, y=-0.06, ha="center", va="top", linespacing=1.35)
            ax.text(s=text, fontweight="bold" if highlighted else None, **place)
            theirs = reference.get(name, shapes)[index][0]
            if theirs != channels:
                ax.text(s=f"\n\n× {theirs}", color="0.4", **place)
            if highlighted:
                ax.text(index, 0.42, features[2], ha="center", va="bottom", color="#8a5a00", fontweight="bold")
            if index:
                ax.annotate("", (index - 0.34, 0.1), (index - 0.66, 0.1), arrowprops=dict(arrowstyle="->", color="0.5"))
        ax.set(xlim=(-0.5, len(shapes) - 0.5), ylim=(-0.6, 1.12), xticks=[], yticks=[])
        ax.set_title(name, loc="left", fontweight="bold")
        ax.grid(False)
        sns.despine(ax=ax, left=True, bottom=True)
    if note:
        figure.supxlabel(note, fontsize="small", color="0.4")
    return figure


def _box(ax: Axes, middle: float, channels: int, side: int, color: str) -> None:
    """Draw maps as a box around `middle`, standing on 0: front, top and side, the last two darker."""
    height, length = 0.88 * np.sqrt(side / 64), max(0.03, 0.52 * np.sqrt(channels / 512))
    slant = 0.24 * height  # the square map, seen from the side
    left, right = middle - (length + slant) / 2, middle + (length - slant) / 2
    faces = {
        1.0: [(left, 0), (right, 0), (right, height), (left, height)],
        0.85: [(left, height), (right, height), (right + slant, height + slant), (left + slant, height + slant)],
        0.7: [(right, 0), (right + slant, slant), (right + slant, height + slant), (right, height)],
    }
    for shade, corners in faces.items():
        dark = np.array(plt.matplotlib.colors.to_rgb(color)) * shade
        ax.add_patch(plt.Polygon(corners, facecolor=dark, edgecolor="white", linewidth=0.8))


def variety_curves(looks: Mapping[str, pd.DataFrame], marked: str = "") -> Figure:
    """Draw spread, recall and coverage over each generator's training, as shares of what real faces reach.

    Parameters
    ----------
    looks : mapping
        Generator -> columns ``step, spread, recall, coverage``, as shares of their floors.
    marked : str
        A generator to draw in red: one whose collapse was provoked.
    """
    scores = ("spread", "recall", "coverage")
    figure, axes = plt.subplots(1, len(scores), figsize=(WIDTH, 3.4), sharey=True)
    for index, (name, seen) in enumerate(looks.items()):
        share = 100 * seen["step"] / max(seen["step"].max(), 1)
        style = "osD^vPX*"[index % 8] + ("-", "--", ":")[index // 3 % 3]
        plain = {"color": f"C{(index + (index > 2)) % 10}"}  # without the red of the marked one
        color = {"color": "C3", "linewidth": 2, "zorder": 5} if name == marked else plain
        for ax, column in zip(axes, scores, strict=True):
            ax.plot(share, seen[column], style, markersize=3.5, label=name, **color)
    for ax, title in zip(axes, scores, strict=True):
        ax.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        ax.set(title=title, ylim=(0, None), xlabel="training done (%)")
    axes[0].set_ylabel("share of what real faces reach")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return figure


def share_bars(tables: Mapping[str, pd.DataFrame], n_across: int = 2) -> Figure:
    """Draw how often each class is named among real faces and among samples, one panel for each generator.

    Parameters
    ----------
    tables : mapping
        Generator -> columns ``label, real, generated, low, high``: shares, and the interval of the samples'.
    n_across : int
        Panels side by side.
    """
    n_down = -(-len(tables) // n_across)
    figure, axes = plt.subplots(n_down, n_across, figsize=(WIDTH, 2.3 * n_down), squeeze=False, sharex=True)
    for ax in axes.flat[len(tables):]:
        ax.set_axis_off()
    for ax, (name, table) in zip(axes.flat, tables.items(), strict=False):
        places = np.arange(len(table))
        ax.barh(places, table["real"], height=0.8, color="0.85", label="real faces")
        errors = np.maximum(0, [table["generated"] - table["low"], table["high"] - table["generated"]])
        dots = dict(fmt="o", color="C0", markersize=4, capsize=2)
        ax.errorbar(table["generated"], places, xerr=errors, label="samples", **dots)
        ax.set(title=name, yticks=places, yticklabels=table["label"])
        ax.invert_yaxis()
    for ax in axes.flat[len(tables) - n_across : len(tables)]:
        ax.set_xlabel("share named so")
    axes[0, 0].set_xlim(0, 1.05 * max(table[["real", "high"]].to_numpy().max() for table in tables.values()))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure
