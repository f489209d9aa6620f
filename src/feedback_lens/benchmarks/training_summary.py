"""What training did to each model, from the cards of its checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from feedback_lens.benchmarks.cells import UNTRAINED, Cells, Model
from feedback_lens.tables import read_json

Cards = Mapping[Model, Mapping[str, Any]]


def read_cards(folder: Path, cells: Cells) -> dict[Model, dict[str, Any]]:
    """The cards `<base>/<corpus>/<recipe>/<seed>.json` of exactly the trained models.

    Raises:
        InputError: a card is missing.
    """
    trained = [model for model in cells.models() if model.recipe != UNTRAINED]
    return {model: read_json(folder / model.folder.with_suffix(".json")) for model in trained}


def summarize_training(cards: Cards) -> dict[str, Any]:
    """Base -> corpus -> recipe -> method, rows, held-out loss and reward margin.

    `held_out_loss` is in nats a token of the replies kept apart, before and after, the mean over
    seeds; `held_out_reward_margin` (KTO) how much more the desirable than the undesirable ones
    gained. Null where nothing was kept apart.
    """
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for model, card in cards.items():
        groups.setdefault((model.base, str(model.corpus), model.recipe), []).append(card)
    metrics: dict[str, Any] = {}
    for (base, corpus, recipe), members in groups.items():
        metrics.setdefault(base, {}).setdefault(corpus, {})[recipe] = _summarize(members)
    return metrics


def _summarize(cards: list[Mapping[str, Any]]) -> dict[str, Any]:
    losses = [card["held_out_loss"] for card in cards]
    preflight = cards[0]["preflight"]
    return {
        "method": cards[0]["method"],
        "rows": preflight["rows"],
        "held_out_rows": preflight["held_out_rows"],
        "truncated_rows": preflight["truncated_rows"],
        "dropped_rows": preflight["dropped_rows"],
        "held_out_loss": {when: _mean([loss[when] for loss in losses]) for when in losses[0]},
        "held_out_reward_margin": _mean([card["held_out_reward_margin"] for card in cards]),
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
