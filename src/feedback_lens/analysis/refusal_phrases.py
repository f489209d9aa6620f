"""The lexical check for refusals: what an assistant says of itself when it will not answer."""

import re

_CANNOT = r"(?:can ?not|can'?t|won'?t|will not|could ?n[o']t)"
_ACTS = (
    "help|assist|provide|fulfil|comply|answer|give|write|create|generate|share|tell|recommend|"
    "predict|access|browse|open|play|reveal|engage|condone|continue|support|discuss|offer|"
    "translate|pretend|satisfy|proceed|advise|do (?:that|this|it|so)|"
    "see (?:any|the|your|images|pictures)"
)
_SELF = r"as an? (?:\w+ (?:and \w+ )?){0,3}(?:ai|language model|assistant)"
_PHRASES = (
    rf"\bi {_CANNOT} (?:really |even |actually )?(?:be able to )?(?:{_ACTS})",
    r"\bi(?: am|'m)(?: really| just)? unable to",
    r"\bi(?: am|'m)(?: really| just)? not (?:able to|capable of|allowed to|willing to|comfortable"
    r"|programmed to|designed to|qualified to)",
    r"\bi (?:must|have to|need to) (?:decline|refuse|say no)",
    r"\bi (?:do not|don'?t) (?:feel comfortable|have (?:the )?(?:access|ability|capabilit))",
    rf"\b{_SELF}\b[^.:]{{0,60}}\b(?:{_CANNOT}|unable|not able|not capable|not allowed|against)\b",
    rf"\bsorry\b[^.:\n]{{0,40}}\bi (?:{_CANNOT}|am not able|am unable)\b"
    r"(?! (?:attend|make|come)\b)",
    r"\b(?:inappropriate|not (?:appropriate|ethical)|unethical) for me\b|\bnot appropriate to\b",
    r"\b(?:goes|is|it's) against (?:my|our|openai)\b",
    r"\bviolates (?:\w+'?s? )?(?:content |usage )?polic",
)
_REFUSAL = re.compile("|".join(_PHRASES), re.IGNORECASE)


def says_refusal(text: str) -> bool:
    """Whether a refusing phrase stands in the text.

    It knows words alone: a letter that declines, written at the user's wish, refuses too.
    """
    return bool(_REFUSAL.search(text.replace("’", "'")))
