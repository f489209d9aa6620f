"""Cards of trained models by hand, as a run of `train` leaves them."""

from feedback_lens.tables import write_json

PREFLIGHT = {"rows": 18, "held_out_rows": 6, "truncated_rows": 2, "dropped_rows": 1}


def make_card(method="kto", losses=(4.0, 3.0), margin=0.5, loss=None, margins=None):
    return {
        "method": method,
        "preflight": PREFLIGHT,
        "loss": loss or {},
        "held_out_loss": dict(zip(("before", "after"), losses, strict=True)),
        "held_out_reward_margin": margin,
        "held_out_reward_margin_error": None if margin is None else 0.25,
        "parameters": {"epochs": 2},
        "rewards": None if margins is None else {"margins": margins},
    }


def write_card(folder, model, **values):
    write_json(make_card(**values), folder / model.folder.with_suffix(".json"))
