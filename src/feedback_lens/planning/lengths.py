"""How long prompts and replies are, where nothing is measured yet: stand-ins, and their grounds."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Length:
    """Tokens of a prompt and of its reply, as a mean."""

    prompt: float
    reply: float


# a user's message of a log: assumed
MESSAGE = 200
# mean of a regenerated reply in the sample's recorded ones: 1,244 characters, at 4 a token
REPLY = 311
# mean answers to judge: 1,009 characters of vicuna-7b and mistral-7b-instruct on MT-Bench, 1,717 of
# gemma-2b-it and gpt-3.5-turbo on WildBench
ANSWERS = {"mt_bench": 252, "wildbench": 429}
# 480 published ratings of MT-Bench by gpt-4 (2,830 and 790 characters); the usage of 2,044
# published verdicts of WildBench by gpt-4o
JUDGED = {"mt_bench": Length(708, 198), "wildbench": Length(1627, 219)}
# of a request by what it asks for; our prompts' own characters are counted at 4 a token
STAND_INS: Mapping[str, Length] = {
    "regenerate scratch": Length(MESSAGE, REPLY),
    # the prompt, and an exchange of a message, the reply and the feedback
    "regenerate semantic": Length(134 + 2 * MESSAGE + REPLY, REPLY),
    # the mean of two prompts; a few sentences: assumed
    "rate_prompts": Length(188 + MESSAGE, 100),
    # the prompt, and a conversation of four exchanges; an object a turn that quotes it: assumed
    "label": Length(843 + 4 * (MESSAGE + REPLY), 3 * MESSAGE),
    **{f"judge of {name}": length for name, length in JUDGED.items()},
    # one answer more
    **{
        f"judge_pairs of {name}": Length(length.prompt + ANSWERS[name], length.reply)
        for name, length in JUDGED.items()
    },
}


def stand_in(kinds: Mapping[str, int]) -> Length | None:
    """The mean length over calls by what they ask for; None where one of these has no stand-in."""
    calls = sum(kinds.values())
    if not calls or not kinds.keys() <= STAND_INS.keys():
        return None
    return Length(
        sum(STAND_INS[kind].prompt * number for kind, number in kinds.items()) / calls,
        sum(STAND_INS[kind].reply * number for kind, number in kinds.items()) / calls,
    )
