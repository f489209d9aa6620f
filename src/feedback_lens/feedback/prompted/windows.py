"""Windows: a conversation that is too long for one request, as several that overlap by a turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from feedback_lens.logs.conversation import Conversation, Message
from feedback_lens.prompts import fence

Exchange = tuple[str, str | None]
# how a prompt shows a turn: its number, the user's words, the reply
ShowTurn = Callable[[int, str, str | None], Mapping[str, Any]]
LEAST_WINDOW: Final = 1000  # characters; two exchanges of nothing but marks fit
_SEPARATOR = len(", ")
_BRACKETS = len("[]")


@dataclass(frozen=True)
class Window:
    """A piece of a conversation: its turns are numbered from 1, and `first` is its turn 1's number.

    Turn 1 is shown for the sake of turn 2; turns 2 and up are to be labeled.
    """

    conversation: Conversation
    first: int


def list_exchanges(conversation: Conversation) -> list[Exchange]:
    """The user turns with the replies to them; the last turn may have none."""
    replies = [*conversation.replies, None]
    return list(zip(conversation.user_turns, replies, strict=False))


def cut_windows(conversation: Conversation, limit: int, show: ShowTurn) -> list[Window]:
    """The windows of a conversation; each user turn after the first is to be labeled in just one.

    A conversation whose fenced JSON has at most `limit` characters is its own window; of a longer
    one each window takes the last turn of the one before and as many turns after it as fit. Of two
    exchanges that do not fit together, those over half of the limit are shortened in the middle of
    their texts, with a mark that says how many characters are missing. There is no window where
    there is no turn to label.

    Raises:
        ValueError: the limit is under `LEAST_WINDOW`.
    """
    if limit < LEAST_WINDOW:
        raise ValueError(f"a window of {limit} characters: at least {LEAST_WINDOW} are wanted")
    exchanges = list_exchanges(conversation)
    if len(exchanges) < 2:
        return []
    if _measure(exchanges, show) <= limit:
        return [Window(conversation, 1)]
    windows, first = [], 0
    while first < len(exchanges) - 1:
        chosen = _fit_pair(exchanges[first : first + 2], limit, show)
        length = _measure(chosen, show)
        for exchange in exchanges[first + 2 :]:
            length += _SEPARATOR + _measure_one(len(chosen) + 1, exchange, show)
            if length > limit:
                break
            chosen.append(exchange)
        windows.append(Window(_take(conversation, chosen), first + 1))
        first += len(chosen) - 1
    return windows


def shorten(text: str, keep: int) -> str:
    """A text with `keep` characters of its beginning and end, and a mark for those between.

    A text that would not become shorter stays as it is.
    """
    mark = f" [... {len(text) - keep} characters left out ...] "
    if len(text) <= keep + len(mark):
        return text
    return text[: keep - keep // 2] + mark + text[len(text) - keep // 2 :]


def _fit_pair(pair: Sequence[Exchange], limit: int, show: ShowTurn) -> list[Exchange]:
    room = limit - _BRACKETS - _SEPARATOR
    sizes = [_measure_one(1, exchange, show) for exchange in pair]
    if sum(sizes) <= room:
        return list(pair)
    budgets = (max(room // 2, room - sizes[1]), max(room // 2, room - sizes[0]))
    return [_fit(exchange, budget, show) for exchange, budget in zip(pair, budgets, strict=True)]


def _fit(exchange: Exchange, budget: int, show: ShowTurn) -> Exchange:
    """The exchange with as many characters of each of its texts as the budget allows."""
    user, reply = exchange

    def cut(keep: int) -> Exchange:
        return shorten(user, keep), None if reply is None else shorten(reply, keep)

    low, high = 0, max(len(user), len(reply or ""))
    while low < high:
        middle = (low + high + 1) // 2
        fits = _measure_one(1, cut(middle), show) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return cut(low)


def _measure_one(number: int, exchange: Exchange, show: ShowTurn) -> int:
    return len(fence(show(number, *exchange)))


def _measure(exchanges: Sequence[Exchange], show: ShowTurn) -> int:
    return len(fence([show(number, *pair) for number, pair in enumerate(exchanges, start=1)]))


def _take(conversation: Conversation, exchanges: Sequence[Exchange]) -> Conversation:
    messages = []
    for user, reply in exchanges:
        messages.append(Message("user", user))
        if reply is not None:
            messages.append(Message("assistant", reply))
    return replace(conversation, messages=tuple(messages))
