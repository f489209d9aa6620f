"""A deterministic stand-in for a model that rates prompts: surface cues, no understanding."""

import re

_CODE = (
    r"```|\b(python|sql|javascript|java|c\+\+|rust|regex|docker|excel|code|function|script|css|"
    r"html|api)\b"
)
_FIELDS = (
    _CODE + r"|\b(law|legal|contract|tax|physics|chemistry|biology|statistic\w*|equation|integral|"
    r"probability|enzyme|voltage|theorem|medic\w*|dose|grammar|translate)\b"
)
_CUES = {
    1: r"\b(exactly|only|at most|words?|lines?|table|list|format|json|csv|\d+)\b",
    2: _FIELDS,
    4: _CODE + r"|\b(why|how (do|can|would|many|much)|solve|fix|debug|calculate|prove|plan)\b",
    5: r"\b(poem|story|song|slogan|name|names|character|scene|haiku|limerick|joke|role|pretend|"
    r"creative|imagine|toast|lyrics)\b",
    6: _CODE + r"|\b(calculate|solve|equation|formula|prove|correct|convert|probability)\b",
    7: r"\b(my|our|we|i'm|i am|boss|client|customer|trip|recipe|letter|email|work|school|budget)\b",
}
_PATTERNS = {number: re.compile(cue, re.IGNORECASE) for number, cue in _CUES.items()}
_CONSTRAINT = re.compile(r"[,;\n]|\b(and|but|without|must|should|not)\b", re.IGNORECASE)


def rate_by_rules(text: str) -> tuple[set[int], int]:
    """Criteria met (1 to 7) and difficulty (1 to 5) by surface cues.

    Criterion 3, complexity, is met from five constraints on; the difficulty is one more than the
    number of harder criteria (2, 3, 4, 6) met.
    """
    met = {number for number, pattern in _PATTERNS.items() if pattern.search(text)}
    if len(_CONSTRAINT.findall(text)) >= 5:
        met.add(3)
    return met, 1 + len(met & {2, 3, 4, 6})
