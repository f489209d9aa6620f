"""What training and judging write, for the report's tests."""

from feedback_lens.analysis.comparison import WIN_RATE_POINTS, compare_replies, list_win_rates
from feedback_lens.analysis.plots import write_points
from feedback_lens.axes import UNTRAINED
from feedback_lens.benchmarks.pairs.pairing import find_opponents
from feedback_lens.benchmarks.pairs.summary import compare_answers
from feedback_lens.benchmarks.score_details import describe
from feedback_lens.benchmarks.statistics import compare_recipes
from feedback_lens.benchmarks.summary import SCORE_POINTS, list_scores, summarize
from feedback_lens.benchmarks.training_summary import LOSS_POINTS, list_losses, summarize_training
from feedback_lens.tables import write_json, write_rows
from feedback_lens.training.exclusions import AssemblyRules
from feedback_lens.training.leakage import count_leakage
from feedback_lens.training.recipes import assemble
from feedback_lens.training.regeneration import REPLIES
from feedback_lens.training.reward import SCORES
from feedback_lens.training.reward_evidence import summarize_held_out
from judged_rows import task
from judgments import judged
from report_answers import write_answers, write_verdicts
from training_cards import make_card

LEAK = {"split": "neg", "other": "mt_bench", "kind": "near_duplicate", "similarity": 0.8}
COUNTED = {"calls": 4, "prompt_tokens": 1000, "completion_tokens": 234, "uncounted": 0, "usd": 1.5}
FREE = {"calls": 2, "prompt_tokens": 0, "completion_tokens": 0, "uncounted": 2, "usd": None}
CALLS = {
    "label": {"claude": {**COUNTED, "snapshots": {"claude-20261101": 3}}},
    "score_toxicity": {"local:lexicon": FREE},
    "judge": {},
    "total": {"calls": 6, "usd": 1.5, "calls_without_usd": 2},
}


def write_training(folder, splits, axes, reply):
    """All that training and judging write; the regenerated replies are `reply`."""
    scores = list(_score(splits))
    judgments, cards = _judge(axes), _train(axes)
    metrics = {
        "training": summarize_training(cards),
        # before: one of four; of the conversations only the third has a pair wrong
        "train_reward/tiny": summarize_held_out(
            ["a", "a", "b", "c"], [True, False, False, False], [True, True, True, False]
        ),
        "summary": summarize(judgments),
        "scores": describe(judgments),
        "significance": compare_recipes(judgments, axes, "rand_scratch", 50, 1),
        **{
            f"compare_answers/{name}": compare_answers(_compare_pairs(axes, judge), 50, 1)
            for name, judge in axes.pair_judges.items()
        },
    }
    for corpus in axes.trained:
        _write_replies(folder / "data", corpus, scores, reply)
        metrics |= {
            f"check_leakage/{corpus}": count_leakage([LEAK], splits, axes.benchmarks),
            f"assemble/{corpus}": _assemble(splits, axes.recipes),
            f"compare_replies/{corpus}": (compared := compare_replies(scores, 50, 1)),
        }
        plot = folder / f"plots/win_rates/{corpus}.csv"
        write_points(list_win_rates(compared), plot, WIN_RATE_POINTS)
    metrics["summarize_calls"] = CALLS
    for name, content in metrics.items():
        write_json(content, folder / f"metrics/{name}.json")
    write_answers(folder, axes, judgments, reply)
    for name, judge in axes.pair_judges.items():
        write_verdicts(folder / "data/judgments/pairs" / name, judge, _compare_pairs(axes, judge))
    for kind, judges in (("answers", axes.judges), ("pairs", axes.pair_judges)):
        for name, benchmark in ((n, b) for n, judge in judges.items() for b in judge.benchmarks):
            path = folder / "data/judgments" / kind / name / f"{benchmark}.json"
            write_json({"model": JUDGES[name]}, path)
    write_points(list_losses(cards), folder / "plots/loss.csv", LOSS_POINTS)
    write_points(list_scores(judgments), folder / "plots/scores.csv", SCORE_POINTS)


def _score(splits):
    for row in splits:
        for candidate, score in {"weak": 1.0, "weak_next": 2.0, "scratch": 3.0}.items():
            for with_feedback in (False, True):
                yield {
                    **{name: row[name] for name in ("split", "conversation_id", "turn")},
                    "candidate": candidate,
                    "with_feedback": with_feedback,
                    "score": score - 2.5 * with_feedback * (candidate == "scratch"),
                }


def _write_replies(folder, corpus, scores, reply):
    found = {"reply": reply, "outcome": "answered", "model": "claude"}
    replies = [{"conversation_id": "c1", "turn": 1, **found}]
    write_rows(replies, folder / f"replies/{corpus}/neg_scratch.parquet", REPLIES)
    write_rows([], folder / f"replies/{corpus}/rand_scratch.parquet", REPLIES)
    write_rows(scores, folder / f"scores/{corpus}.parquet", SCORES)


def _assemble(splits, recipes):
    """Of three replies to random prompts one is cut off; the praised and the criticized are kept."""
    rows = [row for row in splits if row["split"] == "rand"]
    replies = [
        {"conversation_id": row["conversation_id"], "turn": row["turn"], "reply": "Sure."}
        | {"outcome": "answered" if place else "cut_off"}
        for place, row in enumerate(rows)
    ]
    rules = AssemblyRules(0, drop_refusals=True, refusal_opening=200, drop_leaked=False)
    leaked = [{**LEAK, "conversation_id": "c1", "turn": 1}]
    sets = {"rand_scratch": replies}
    return {name: assemble(name, splits, sets, leaked, rules)[1] for name in recipes}


def _train(axes):
    return {
        model: make_card(
            method="kto" if model.recipe == "kto" else "sft",
            losses=(5.0, 4.0 + 0.5 * model.seed),
            margin=0.2 - 0.3 * (model.seed - 1) if model.recipe == "kto" else None,
            loss={step: 5.0 - 0.01 * step for step in range(1, 131)},
            margins={step: 0.01 * step for step in range(1, 131)}
            if model.recipe == "kto"
            else None,
        )
        for model in axes.models()
        if model.recipe != UNTRAINED
    }


def _judge(axes):
    """Each judge's judgments of its models; of WildBench's two tasks one has an empty answer."""
    judgments = {}
    for benchmark in axes.benchmarks:
        for name, judge in axes.judges.items():
            models = [model for model in axes.models() if judge.judges(model)]
            if benchmark in judge.benchmarks:
                judgments[benchmark, name] = {m: JUDGED[benchmark](m) for m in models}
    return judgments


def _judge_dialogue(model):
    return judged(4, 6, None, 8, 5, 4 + (model.seed or 0) + len(model.recipe) % 4)


def _judge_tasks(model):
    return [
        task("1", 6 + (model.seed or 0), "Creative Tasks", "Coding & Debugging"),
        task("2", 1, "Creative Tasks", answer_characters=0, answer_outcome="cut_off"),
    ]


JUDGED = {"mt_bench": _judge_dialogue, "wildbench": _judge_tasks}
JUDGES = {"reference": None, "wild": "some-judge", "order": "some-judge"}


def _compare_pairs(axes, judge):
    """Two questions: one is won in both orders, on the other the orders disagree."""
    rows = [
        {"question_id": question, "turn": 1, "repetition": 0, "order": order, "verdict": verdict}
        for question, verdicts in {"1": ("win", "win"), "2": ("win", "loss")}.items()
        for order, verdict in enumerate(verdicts)
    ]
    models = find_opponents(axes.models(), judge.against)
    return {benchmark: dict.fromkeys(models, rows) for benchmark in judge.benchmarks}
