"""What a stage may pay, and what each answer cost."""

import os
import time
from collections.abc import Callable
from typing import NoReturn

from feedback_lens.calls.catalog import ModelFacts
from feedback_lens.calls.request import Request, Response
from feedback_lens.errors import InputError

VARIABLE = "FEEDBACK_LENS_MAX_USD"
# of a message's frame (role, separators), more than any known chat format takes
FRAME_TOKENS = 16
REREAD_SECONDS = 1.0
CAPPED = ("label", "rate_prompts", "regenerate", "judge", "judge_pairs")


class Budget:
    """Keeps a stage under its cap: a call is let through only where its worst case still fits.

    `read_spent` tells what the stage has paid into this store, all its cells and runs together; it
    is asked again now and then, as another process may pay at the same time.
    `share` is what this provider bills of the price (a batch: half).

    Raises:
        InputError: there is a cap, and the model's price is not known.
    """

    def __init__(
        self,
        purpose: str,
        facts: ModelFacts,
        cap: float | None,
        read_spent: Callable[[], float],
        share: float = 1.0,
    ) -> None:
        if cap is not None and facts.price is None:
            raise InputError(
                f"{purpose}: {VARIABLE} caps it, but the price of model {facts.name!r} is not "
                "known; give it in a file (docs/models.md) and set FEEDBACK_LENS_CATALOG to it"
            )
        self.purpose, self.facts, self.cap, self.share = purpose, facts, cap, share
        self.spent = 0.0 if cap is None else read_spent()
        self._read_spent, self._read_at = read_spent, time.monotonic()
        self._reserved: dict[str, float] = {}
        self._aside = 0.0

    def reserve(self, request: Request) -> bool:
        """Set the worst case of a call aside; False where it could pass the cap by now."""
        if self.cap is None:
            return True
        if time.monotonic() - self._read_at > REREAD_SECONDS:
            self._read_at = time.monotonic()
            self.spent = max(self.spent, self._read_spent())
        worst = self._worst_case(request)
        if self.spent + self._aside + worst > self.cap:
            return False
        self._reserved[request.key] = worst
        self._aside += worst
        return True

    def charge_worst_case(self, request: Request) -> None:
        """A try was given up without knowing whether it is billed: under a cap, it is."""
        self.spent += self._reserved.get(request.key, 0.0)

    def release(self, request: Request) -> float:
        """Take back what was set aside for a call, such as one without an answer; returns it."""
        worst = self._reserved.pop(request.key, 0.0)
        # an empty dict has nothing aside: rounding must not pile up over a million calls
        self._aside = self._aside - worst if self._reserved else 0.0
        return worst

    def settle(self, request: Request, response: Response, cached_tokens: int = 0) -> float | None:
        """What an answer cost in US dollars; None where the price or the tokens are not known.

        Under a cap, an answer without token counts costs its worst case.
        """
        worst = self.release(request)
        usd = self._cost(response, cached_tokens)
        if usd is None and self.cap is not None:
            usd = worst
        self.spent += usd or 0.0
        return usd

    def refuse(self) -> NoReturn:
        """Raise the error of a stage that has come to its cap."""
        raise InputError(
            f"{self.purpose}: the next call could pass the cap of {self.cap:g} dollars "
            f"({VARIABLE}): {self.spent:.4f} are spent; what was answered is kept: "
            "raise the cap and run again"
        )

    def _cost(self, response: Response, cached_tokens: int) -> float | None:
        price = self.facts.price
        if price is None:
            return None
        if response.prompt_tokens is None or response.completion_tokens is None:
            # what the server turned down is not billed
            turned_down = response.outcome in ("failed", "filtered")
            return 0.0 if turned_down and response.served_model is None else None
        cached = min(cached_tokens, response.prompt_tokens)
        usd = price.cost(response.prompt_tokens, response.completion_tokens, cached)
        return usd * self.share

    def _worst_case(self, request: Request) -> float:
        """At most a token a byte in the prompt, and `max_tokens` in the reply."""
        if request.sampling.max_tokens is None:
            raise InputError(
                f"{self.purpose}: {VARIABLE} caps it, but without max_tokens a reply has no bound; "
                f"set {self.purpose}.max_tokens in params.yaml"
            )
        price = self.facts.price
        assert price is not None
        return price.cost(bound_prompt_tokens(request), request.sampling.max_tokens) * self.share


def bound_prompt_tokens(request: Request) -> int:
    """More tokens than the prompt can have: one for each byte of its text and format."""
    text = sum(len(m["content"].encode("utf-8", "replace")) for m in request.messages)
    shape = len(str(request.response_format)) if request.response_format else 0
    return text + shape + FRAME_TOKENS * len(request.messages)


def read_cap(purpose: str) -> float | None:
    """The cap of a stage in US dollars: `20` for every stage, or `label=20,judge=50`.

    Raises:
        InputError: FEEDBACK_LENS_MAX_USD reads otherwise.
    """
    setting = os.environ.get(VARIABLE, "").strip()
    caps: dict[str, str] = {}
    for part in setting.split(",") if setting else []:
        stage, equals, dollars = part.rpartition("=")
        if equals and stage.strip() not in CAPPED:
            raise InputError(
                f"{VARIABLE}={setting!r}: no stage {stage.strip()!r} pays for calls; "
                f"{', '.join(CAPPED)} do (rate_prompts holds rate_prompt_sets, too)"
            )
        caps[stage.strip() if equals else "*"] = dollars
    found = {stage: _read_dollars(dollars, setting) for stage, dollars in caps.items()}
    return found.get(purpose, found.get("*"))


def _read_dollars(dollars: str, setting: str) -> float:
    try:
        cap = float(dollars)
    except ValueError:
        cap = -1.0
    if not 0 <= cap < float("inf"):
        raise InputError(
            f"{VARIABLE}={setting!r}: give dollars for every stage (20) or by stage "
            "(label=20,judge=50)"
        )
    return cap
