import pytest

from feedback_lens.axes import Model
from feedback_lens.benchmarks.training_summary import list_losses, read_cards, summarize_training
from feedback_lens.errors import InputError
from feedback_lens.tables import write_json
from judged_rows import make_axes
from training_cards import PREFLIGHT, make_card, write_card

KTO_1, KTO_2, KTO_3 = (Model("tiny", "lmsys", "kto", seed) for seed in (1, 2, 3))
SFT = Model("tiny", "lmsys", "rand_scratch", 1)


def test_losses_and_margins_are_means_over_seeds():
    cards = {KTO_1: make_card(losses=(4.0, 3.0), margin=0.5)}
    cards |= {KTO_2: make_card(losses=(5.0, 3.5), margin=-0.1)}
    summary = summarize_training(cards)["tiny"]["lmsys"]["kto"]
    # (4 + 5) / 2, (3 + 3.5) / 2; (0.5 - 0.1) / 2, and one margin of two above zero
    assert summary == {
        "method": "kto",
        **PREFLIGHT,
        "held_out_loss": {"before": 4.5, "after": 3.25},
        "held_out_reward_margin": pytest.approx(0.2),
        "held_out_reward_margin_error": 0.25,
        "held_out_reward_margin_rises": 0.5,
        "trained_reward_margin": None,
    }


def test_the_margin_of_trained_rows_is_that_of_the_last_epoch():
    loss = {str(step): 1.0 for step in range(1, 5)}  # two epochs of two steps
    card = make_card(loss=loss, margins={"1": 0.0, "2": 9.0, "3": 1.0, "4": 2.0})
    one_class = make_card(loss=loss, margins={"1": 0.0, "4": 3.0})
    summary = summarize_training({KTO_1: card, KTO_2: one_class})["tiny"]["lmsys"]["kto"]
    # ((1 + 2) / 2 + 3) / 2
    assert summary["trained_reward_margin"] == 2.25


def test_a_seed_without_a_margin_is_in_neither_figure():
    cards = {KTO_1: make_card(margin=0.5), KTO_2: make_card(margin=None)}
    summary = summarize_training(cards)["tiny"]["lmsys"]["kto"]
    assert summary["held_out_reward_margin"] == 0.5
    assert summary["held_out_reward_margin_rises"] == 1


def test_a_margin_that_stands_still_does_not_rise():
    summary = summarize_training({KTO_1: make_card(margin=0.0)})["tiny"]["lmsys"]["kto"]
    assert summary["held_out_reward_margin_rises"] == 0


def test_a_recipe_without_held_out_rows_has_null_figures():
    card = make_card("sft", losses=(None, None), margin=None)
    summary = summarize_training({SFT: card})["tiny"]["lmsys"]["rand_scratch"]
    assert summary["held_out_loss"] == {"before": None, "after": None}
    assert summary["held_out_reward_margin_rises"] is None


def test_a_loss_curve_has_one_row_a_logged_step():
    cards = {SFT: make_card("sft", loss={"1": 5.0, "10": 4.5})}
    cell = {"base": "tiny", "corpus": "lmsys", "recipe": "rand_scratch", "seed": 1, "method": "sft"}
    expected = [{**cell, "step": 1, "loss": 5.0}, {**cell, "step": 10, "loss": 4.5}]
    assert list(list_losses(cards)) == expected


def test_exactly_the_trained_models_of_the_axes_are_read(tmp_path):
    for model in (KTO_1, KTO_2, KTO_3):
        write_card(tmp_path / "cards", model, margin=float(model.seed))
    cards = read_cards(tmp_path / "cards", make_axes(tmp_path))
    assert {m: card["held_out_reward_margin"] for m, card in cards.items()} == {KTO_1: 1, KTO_2: 2}


def test_a_card_of_an_earlier_version_is_an_error(tmp_path):
    path = tmp_path / "cards" / KTO_1.folder.with_suffix(".json")
    card = make_card()
    del card["held_out_reward_margin_error"]
    write_json(card, path)
    message = r"1\.json: no field 'held_out_reward_margin_error' .*`dvc repro train train_further`"
    with pytest.raises(InputError, match=message):
        read_cards(tmp_path / "cards", make_axes(tmp_path))


def test_a_missing_card_is_an_error(tmp_path):
    write_card(tmp_path / "cards", KTO_1)
    with pytest.raises(InputError, match=r"tiny/lmsys/kto/2\.json: no such file"):
        read_cards(tmp_path / "cards", make_axes(tmp_path))
