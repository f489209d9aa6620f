from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from feedback_lens.feedback.detector import Detector
from feedback_lens.feedback.evaluation import evaluate_labels
from feedback_lens.feedback.keywords import label_by_keywords
from feedback_lens.logs.conversation import Conversation

Gold = Mapping[tuple[str, int], str]


def evaluate_out_of_fold(
    detector: Detector, conversations: Sequence[Conversation], gold: Gold
) -> dict[str, Any]:
    """The detector on conversations its heads did not see, beside two baselines.

    `majority` gives every turn the most frequent gold label, `keywords` the first cue found.
    """
    turns = {
        (conversation.conversation_id, turn): conversation.user_turns[turn - 1]
        for conversation in conversations
        for turn in range(2, len(conversation.user_turns) + 1)
    }
    labels = {
        (row["conversation_id"], row["turn"]): row["label"] for row in detector.label(conversations)
    }
    majority = Counter(gold.values()).most_common(1)[0][0]
    predictors: dict[str, Callable[[tuple[str, int]], str | None]] = {
        "local": labels.get,
        "keywords": lambda key: label_by_keywords(turns[key]),
        "majority": lambda key: majority,
    }
    keys = [key for key in gold if key in turns]
    actual = [gold[key] for key in keys]
    return {
        name: evaluate_labels(actual, [predict(key) for key in keys])
        for name, predict in predictors.items()
    }
