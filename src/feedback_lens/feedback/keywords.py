"""The keyword baseline that a detector has to beat: the first cue that a user turn holds."""

import re

from feedback_lens.feedback.labels import (
    CLARIFICATION,
    NEUTRAL,
    POSITIVE,
    REPHRASE,
    WITH_CORRECTION,
    WITHOUT_CORRECTION,
)

_CUES = (
    (WITH_CORRECTION, r"\b(no,|(instead|should (be|have)|too (long|short)|make it|not .+ but)\b)"),
    (WITHOUT_CORRECTION, r"\b(wrong|incorrect|not right|doesn'?t work|not work|useless|sure\?)"),
    (REPHRASE, r"\b(i (said|asked|meant|mean|want|wanted)|again|as i said)\b"),
    (CLARIFICATION, r"\b(why|what do you mean|explain|more detail|what about|which)\b"),
    (POSITIVE, r"\b(thanks|thank you|perfect|great|awesome|love it|works now|nice|good job)\b"),
)
_PATTERNS = tuple((label, re.compile(cue, re.IGNORECASE)) for label, cue in _CUES)


def label_by_keywords(turn: str) -> str:
    """The label of the first cue found in a user turn, else NEU."""
    return next((label for label, cue in _PATTERNS if cue.search(turn)), NEUTRAL)
