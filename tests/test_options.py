import importlib
import pkgutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from feedback_lens import stages
from feedback_lens.calls.policy import AskPolicy, policy_options
from feedback_lens.calls.request import Sampling
from feedback_lens.options import list_option, option, path_option

STAGES = sorted(module.name for module in pkgutil.iter_modules(stages.__path__))


@click.command()
@path_option("--log")
@option("--folds", type=click.IntRange(2))
@list_option("--languages")
def command(log, folds, languages):
    click.echo(f"{log!r} {folds} {languages}")


def test_paths_numbers_and_lists_arrive_as_such():
    words = ["--log", "a/b", "--folds", "3", "--languages", "English", "--languages", "German"]
    result = CliRunner().invoke(command, words)
    assert result.output == f"{Path('a/b')!r} 3 ('English', 'German')\n"


def test_an_empty_list_arrives_as_no_option():
    result = CliRunner().invoke(command, ["--log", "a", "--folds", "2"])
    assert result.output.endswith("2 ()\n")


@pytest.mark.parametrize("words", [[], ["--log", "a"], ["--folds", "3"]])
def test_every_other_option_is_required(words):
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2
    assert "Missing option" in result.output


POLICY = {"assistant": "a/b", "model": "m", "temperature": "None", "max_tokens": "9"}
REST = {"reasoning_effort": "low", "reasks": "2", "folds": "3"}


@click.command()
@option("--folds", type=int)
@policy_options
def asking(folds, policy):
    click.echo(f"{folds} {policy}")


def test_the_options_of_a_policy_arrive_as_one():
    words = [word for name, value in (POLICY | REST).items() for word in (f"--{name}", value)]
    result = CliRunner().invoke(asking, words)
    sampling = Sampling(None, max_tokens=9, reasoning_effort="low")
    assert result.output == f"3 {AskPolicy('m', Path('a/b'), sampling, 2)}\n"


@pytest.mark.parametrize("name", POLICY | REST)
def test_no_option_of_a_policy_may_be_left_out(name):
    others = {other: value for other, value in (POLICY | REST).items() if other != name}
    words = [word for other, value in others.items() for word in (f"--{other}", value)]
    result = CliRunner().invoke(asking, words)
    assert (result.exit_code, f"Missing option '--{name}'" in result.output) == (2, True)


# keys that an entry of a mapping in params.yaml may leave out, and then mean nothing
OPTIONAL = {("read_gold", "source")}


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_has_a_default_of_its_own(stage):
    main = importlib.import_module(f"feedback_lens.stages.{stage}").main
    for parameter in main.params:
        optional = (stage, parameter.name) in OPTIONAL
        assert parameter.required or parameter.multiple or optional, parameter.name
        assert parameter.to_info_dict()["default"] in (None, ()), parameter.name


def test_a_nullable_option_takes_the_word_none_for_null_and_refuses_what_its_type_refuses():
    from feedback_lens.options import MAX_TOKENS, TEMPERATURE

    assert TEMPERATURE.convert("None", None, None) is None
    assert TEMPERATURE.convert("0.5", None, None) == 0.5
    with pytest.raises(click.BadParameter):
        TEMPERATURE.convert("3", None, None)
    with pytest.raises(click.BadParameter):
        MAX_TOKENS.convert("0", None, None)
