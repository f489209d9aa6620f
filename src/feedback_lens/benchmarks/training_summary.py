"""What training did to each model, from the cards of its checkpoints."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_lens.axes import UNTRAINED, Axes, Model
from feedback_lens.benchmarks.summary import Names, average, nest
from feedback_lens.tables import check_names, read_json

Card = Mapping[str, Any]
Cards = Mapping[Model, Card]
FIELDS = (
    *("method", "preflight", "parameters", "loss", "rewards"),
    *("held_out_loss", "held_out_reward_margin", "held_out_reward_margin_error"),
)
LOSS_POINTS = ("base", "corpus", "recipe", "seed", "method", "step", "loss")


def read_cards(folder: Path, axes: Axes) -> dict[Model, dict[str, Any]]:
    """The cards `<base>/<corpus>/<recipe>/<seed>.json` of exactly the trained models.

    Raises:
        InputError: a card is missing, or lacks a field.
    """
    trained = [model for model in axes.models() if model.recipe != UNTRAINED]
    return {model: _read_card(folder / model.folder.with_suffix(".json")) for model in trained}


def summarize_training(cards: Cards) -> dict[str, Any]:
    """Base -> corpus -> recipe -> method, rows, held-out loss and reward margin.

    `held_out_loss` is in nats a token of the replies kept apart, before and after, the mean over
    seeds; `held_out_reward_margin` (KTO) how much more the desirable than the undesirable ones
    gained, with its standard error over rows (`_error`) and the share of seeds where it is above
    zero (`_rises`). Null where nothing was kept apart. `trained_reward_margin` (KTO) is that of the
    rows trained on, the mean over the steps of the last epoch.
    """
    groups: defaultdict[Names, list[Card]] = defaultdict(list)
    for model, card in cards.items():
        groups[model.base, str(model.corpus), model.recipe].append(card)
    return nest((names, _summarize(members)) for names, members in groups.items())


def list_losses(cards: Cards) -> Iterator[dict[str, Any]]:
    """One row of `LOSS_POINTS` for each logged training step of each model."""
    for model, card in cards.items():
        for step, loss in card["loss"].items():
            yield {**model._asdict(), "method": card["method"], "step": int(step), "loss": loss}


def _read_card(path: Path) -> dict[str, Any]:
    card = read_json(path)
    again = "`dvc repro train train_further` trains the model again"
    check_names(path, "field", FIELDS, card, again)
    return card


def _summarize(cards: Sequence[Card]) -> dict[str, Any]:
    losses = [card["held_out_loss"] for card in cards]
    margins = [card["held_out_reward_margin"] for card in cards]
    rises = [None if margin is None else float(margin > 0) for margin in margins]
    counts = ("rows", "held_out_rows", "truncated_rows", "dropped_rows")
    return {
        "method": cards[0]["method"],
        **{name: cards[0]["preflight"][name] for name in counts},
        "held_out_loss": {when: average(loss[when] for loss in losses) for when in losses[0]},
        "held_out_reward_margin": average(margins),
        "held_out_reward_margin_error": average(c["held_out_reward_margin_error"] for c in cards),
        "held_out_reward_margin_rises": average(rises),
        "trained_reward_margin": average(_average_last_epoch(card) for card in cards),
    }


def _average_last_epoch(card: Card) -> float | None:
    """The mean reward margin of the last epoch's steps; a step with one class alone has none."""
    steps = len(card["loss"])
    first = steps - steps // card["parameters"]["epochs"]
    margins = (card["rewards"] or {"margins": {}})["margins"]
    return average(value for step, value in margins.items() if int(step) > first)
