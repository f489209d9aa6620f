import pytest

from feedback_lens.calls.settings import read_limit, read_setting
from feedback_lens.errors import InputError

NAME = "FEEDBACK_LENS_NUMBER"


@pytest.mark.parametrize(("value", "number"), [("0.5", 0.5), ("2", 2.0), ("1e3", 1000.0)])
def test_a_number_is_read_and_the_least_is_allowed(
    value: str, number: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, value)
    assert read_setting(NAME, 7, 0.5) == number
    assert read_limit(NAME) == number


def test_what_is_not_set_or_set_to_nothing_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert (read_setting(NAME, 7, 0), read_limit(NAME)) == (7, None)
    monkeypatch.setenv(NAME, "")
    assert (read_setting(NAME, 7, 0), read_limit(NAME)) == (7, None)


@pytest.mark.parametrize("value", ["many", "nan", "inf", "-inf", "0.4", "1,5", " "])
def test_anything_else_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(InputError) as error:
        read_setting(NAME, 7, 0.5)
    assert error.value.message == f"{NAME}={value!r}: set it to a number of 0.5 or more"


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "none"])
def test_a_limit_that_would_let_nothing_through_is_named(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(InputError, match=rf"{NAME}='{value}': set it to a number"):
        read_limit(NAME)
