import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from feedback_lens.calls.catalog import (
    PACKAGED,
    ModelFacts,
    Price,
    catalog_date,
    check_retired,
    check_sampling,
    read_facts,
    read_prices,
    warn_of_shutdown,
)
from feedback_lens.calls.request import Sampling
from feedback_lens.errors import InputError
from feedback_lens.planning.cautions import age_warning

DOCS = Path(__file__).parent.parent / "docs"
TABLE = yaml.safe_load(PACKAGED.read_text(encoding="utf-8"))
ENTRIES: dict[str, dict[str, Any]] = TABLE["models"] | TABLE["services"]
TODAY = date(2026, 11, 23)
SCHEMA = {"type": "json_schema", "json_schema": {"name": "labels", "schema": {"type": "object"}}}


@pytest.fixture(autouse=True)
def no_own_catalog(monkeypatch):
    monkeypatch.delenv("FEEDBACK_LENS_CATALOG", raising=False)


@pytest.fixture
def write_own(tmp_path, monkeypatch):
    path = tmp_path / "own.yaml"

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("FEEDBACK_LENS_CATALOG", str(path))
        return path

    return write


# ---- prices


def test_a_call_costs_its_tokens_at_the_prices_of_a_million():
    price = Price(prompt=0.15, cached_prompt=0.075, completion=0.6)
    # 2,000,000 * 0.15 / 1e6 + 500,000 * 0.6 / 1e6 = 0.30 + 0.30
    assert price.cost(2_000_000, 500_000) == pytest.approx(0.60)


def test_what_is_read_from_a_cache_costs_the_cached_price_and_the_rest_the_full_one():
    price = Price(prompt=2.0, cached_prompt=0.5, completion=8.0)
    # (10,000 - 8,000) * 2 + 8,000 * 0.5 + 1,000 * 8 = 4,000 + 4,000 + 8,000 millionths
    assert price.cost(10_000, 1_000, cached_tokens=8_000) == pytest.approx(0.016)


def test_without_a_cached_price_the_cache_saves_nothing():
    price = read_facts("gpt-4").price
    assert price is not None
    # 1,000 * 30 + 100 * 60 = 36,000 millionths, whatever was cached
    assert price.cost(1_000, 100, cached_tokens=900) == pytest.approx(0.036)


def test_the_prices_of_one_file_are_read_whatever_the_environment_says(tmp_path, write_own):
    write_own("models: {gpt-4: {prompt: 1, completion: 1}}")
    path = tmp_path / "prices.yaml"
    path.write_text("models: {m: {prompt: 2, completion: 8}, free: {substitute: m}}")
    # without a cached price the cache saves nothing
    assert read_prices(path) == {"m": Price(2.0, 2.0, 8.0)}
    assert read_prices(PACKAGED)["gpt-4"] == Price(30.0, 30.0, 60.0)
    assert read_prices(PACKAGED).keys() == TABLE["models"].keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: {m: {prompt: '0.1', completion: 1}}", "m: prompt: '0.1' is not US dollars"),
        ("models: {m: {prompt: 0.1}}", "m: completion is missing; give both prices or none"),
        ("- m", "not a catalog; its sections are"),
        ("models: {", "cannot be read .* summarize_calls.catalog in params.yaml"),
    ],
)
def test_a_mistake_in_a_file_of_prices_is_named(tmp_path, text, words):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"prices\.yaml: {words}"):
        read_prices(path)


# ---- whose facts


def test_a_dated_snapshot_has_the_facts_of_its_model_under_its_own_name():
    snapshot = read_facts("gpt-4o-mini-2024-07-18")
    assert snapshot.name == "gpt-4o-mini-2024-07-18"
    assert snapshot.price == Price(0.15, 0.075, 0.6)
    assert (snapshot.shutdown, snapshot.substitute) == (date(2027, 1, 14), "gpt-6-luna")
    assert read_facts("gpt-3.5-turbo-0125").shutdown == date(2026, 10, 23)


def test_a_snapshot_with_an_entry_of_its_own_takes_nothing_from_its_model():
    # gpt-4o itself costs 2.50 and 10.00, and ends in January 2027
    assert read_facts("gpt-4o-2024-05-13").price == Price(5.0, 5.0, 15.0)
    assert read_facts("gpt-3.5-turbo-1106").shutdown == date(2026, 9, 28)


@pytest.mark.parametrize("model", ["claude", "gpt-4o-minimal", "Qwen/Qwen3-8B", "gpt-4-9999"])
def test_a_model_that_is_not_listed_has_empty_facts(model):
    assert read_facts(model) == ModelFacts(model)


def test_perspective_is_listed_with_its_end():
    assert read_facts("perspective").shutdown == date(2026, 12, 31)


# ---- shutdowns


def test_a_coming_shutdown_is_told_with_date_days_and_substitute():
    # 7 days to the end of November, 31 of December, 14 of January: 52
    assert warn_of_shutdown(read_facts("gpt-4o-mini"), TODAY) == (
        "gpt-4o-mini is shut down on 2027-01-14 (in 52 days): record its replies now; "
        "substitute: gpt-6-luna"
    )


def test_a_shutdown_is_told_at_any_distance_and_after_it():
    facts = ModelFacts("m", shutdown=date(2030, 11, 23))
    # 4 years with the leap day of 2028: 4 * 365 + 1
    assert "in 1461 days" in str(warn_of_shutdown(facts, TODAY))
    assert "none known" in str(warn_of_shutdown(facts, TODAY))
    assert "(in 1 day)" in str(warn_of_shutdown(facts, date(2030, 11, 22)))
    # the day itself is the first without the model
    assert "was shut down on 2030-11-23" in str(warn_of_shutdown(facts, date(2030, 11, 23)))
    past = str(warn_of_shutdown(read_facts("gpt-4"), TODAY))
    assert "was shut down on 2026-10-23 (31 days ago): only recorded replies" in past


def test_nothing_is_told_where_nothing_is_announced():
    assert warn_of_shutdown(read_facts("gpt-5.4"), TODAY) is None
    assert warn_of_shutdown(read_facts("claude"), TODAY) is None


def test_a_model_is_asked_until_the_day_before_its_shutdown():
    facts = read_facts("gpt-4o-mini")
    check_retired(facts, date(2027, 1, 13), "label")
    with pytest.raises(InputError) as caught:
        check_retired(facts, date(2027, 1, 14), "label")
    assert "label: model 'gpt-4o-mini' was shut down on 2027-01-14" in caught.value.message
    assert "set label.model to gpt-6-luna" in caught.value.message
    assert "FEEDBACK_LENS_CATALOG" in caught.value.message


def test_the_mend_of_that_error_works(write_own):
    write_own("models: {gpt-4: {shutdown: null}}")
    facts = read_facts("gpt-4")
    check_retired(facts, TODAY, "judge")
    assert facts.price == Price(30.0, 30.0, 60.0)


# ---- settings that a model refuses


def test_a_temperature_that_the_model_refuses_is_named_before_anything_is_sent():
    with pytest.raises(InputError, match=r"'o3' refuses temperature; set judge.temperature: null"):
        check_sampling(read_facts("o3"), Sampling(0.0, max_tokens=1024), None, "judge")


def test_every_refused_setting_is_named_at_once():
    with pytest.raises(InputError, match=r"judge.temperature: null and judge.top_p: null"):
        check_sampling(read_facts("gpt-6-luna"), Sampling(0.7, 0.9, 64, 1), None, "judge")


def test_what_is_not_set_is_not_refused():
    check_sampling(read_facts("gpt-6-luna"), Sampling(max_tokens=1024, seed=1), SCHEMA, "judge")
    # without an effort it does not reason, and takes a temperature
    check_sampling(read_facts("gpt-5.4"), Sampling(0.7, max_tokens=1024), SCHEMA, "judge")
    check_sampling(read_facts("claude"), Sampling(1.0, 0.9, 1, 1), SCHEMA, "label")


@pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high", "xhigh"])
def test_a_model_that_is_told_to_think_refuses_a_temperature(effort):
    sampling = Sampling(1.0, max_tokens=1024, reasoning_effort=effort)
    words = (
        r"'gpt-5.4' refuses temperature; set judge.temperature: null \(or judge.reasoning_effort"
    )
    with pytest.raises(InputError, match=words):
        check_sampling(read_facts("gpt-5.4"), sampling, None, "judge")
    with pytest.raises(InputError, match="'gpt-6-luna' refuses temperature"):
        check_sampling(read_facts("gpt-6-luna"), sampling, None, "judge")
    check_sampling(read_facts("gpt-5.4"), Sampling(reasoning_effort=effort), SCHEMA, "judge")


def test_a_model_that_is_told_not_to_think_takes_a_temperature_where_it_can_stop():
    sampling = Sampling(0.0, 0.9, 1024, reasoning_effort="none")
    for model in ("gpt-5.4", "gpt-5.5", "gpt-6-luna", "gpt-6.1-terra"):
        check_sampling(read_facts(model), sampling, SCHEMA, "judge")
    # these have no effort `none`, which therefore is no mend either
    for model in ("gpt-5-mini", "o3", "gpt-6.1-sol"):
        with pytest.raises(InputError, match="refuses temperature and top_p") as caught:
            check_sampling(read_facts(model), sampling, None, "judge")
        assert "reasoning_effort" not in caught.value.message


def test_log_probabilities_that_the_model_refuses_are_named_with_their_mend():
    asking = Sampling(logprobs=True)
    with pytest.raises(InputError, match=r"'o3' refuses logprobs; set label.logprobs: false in pa"):
        check_sampling(read_facts("o3"), asking, None, "label")
    with pytest.raises(
        InputError, match=r"temperature: null and label.logprobs: false \(or label.reasoning_effort"
    ):
        check_sampling(read_facts("gpt-6-luna"), Sampling(1.0, logprobs=True), SCHEMA, "label")
    check_sampling(read_facts("gpt-4o-mini"), asking, SCHEMA, "label")
    check_sampling(read_facts("gpt-5.4"), asking, SCHEMA, "label")
    with pytest.raises(InputError, match=r"'gpt-5\.4' refuses logprobs"):
        thinking = Sampling(reasoning_effort="low", logprobs=True)
        check_sampling(read_facts("gpt-5.4"), thinking, SCHEMA, "label")
    check_sampling(read_facts("o3"), Sampling(logprobs=False), None, "label")


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-4", "gpt-3.5-turbo-0125"])
@pytest.mark.parametrize("effort", ["none", "high"])
def test_a_model_that_does_not_reason_refuses_every_effort(model, effort):
    words = r"refuses reasoning_effort; set label.reasoning_effort: null in params.yaml"
    with pytest.raises(InputError, match=words):
        check_sampling(read_facts(model), Sampling(1.0, reasoning_effort=effort), None, "label")
    check_sampling(read_facts(model), Sampling(1.0, 0.9, 64, 1), None, "label")


def test_an_unlisted_model_takes_any_effort_until_an_own_catalog_says_more(write_own):
    sampling = Sampling(0.6, reasoning_effort="low")
    check_sampling(read_facts("own"), sampling, None, "label")
    write_own("models: {own: {refuses_thinking: [temperature]}}")
    with pytest.raises(InputError, match="'own' refuses temperature"):
        check_sampling(read_facts("own"), sampling, None, "label")
    check_sampling(read_facts("own"), Sampling(0.6), None, "label")


def test_a_schema_is_refused_only_where_it_is_known_not_to_be_taken():
    with pytest.raises(InputError, match=r"set judge.structured: false"):
        check_sampling(read_facts("gpt-4"), Sampling(), SCHEMA, "judge")
    check_sampling(read_facts("gpt-4"), Sampling(), {"type": "text"}, "judge")
    # not documented, which is no refusal
    check_sampling(read_facts("gpt-4o-2024-05-13"), Sampling(), SCHEMA, "judge")


# ---- a catalog of one's own


def test_fields_of_an_own_catalog_replace_those_of_the_packaged_one(write_own):
    write_own("models: {gpt-4o-mini: {completion: 0.3, substitute: gpt-6-sol}}")
    facts = read_facts("gpt-4o-mini")
    assert facts.price == Price(0.15, 0.075, 0.3)
    assert (facts.shutdown, facts.substitute) == (date(2027, 1, 14), "gpt-6-sol")
    assert read_facts("gpt-4o-mini-2024-07-18").price == Price(0.15, 0.075, 0.3)
    assert read_facts("gpt-4o").substitute == "gpt-6-luna"


def test_an_own_snapshot_comes_before_its_own_model_and_spares_other_snapshots(write_own):
    write_own("models: {gpt-4o: {completion: 9}, gpt-4o-2024-11-20: {completion: 7}}")
    assert read_facts("gpt-4o-2024-11-20").price == Price(2.5, 1.25, 7.0)
    assert read_facts("gpt-4o-2024-08-06").price == Price(2.5, 1.25, 9.0)
    assert read_facts("gpt-4o-2024-05-13").price == Price(5.0, 5.0, 15.0)


def test_an_own_model_can_be_free(write_own):
    write_own("models: {Qwen/Qwen3-8B: {prompt: 0, completion: 0, refuses: [seed]}}")
    facts = read_facts("Qwen/Qwen3-8B")
    assert facts.price is not None
    assert facts.price.cost(10**9, 10**9) == 0
    assert (facts.refuses, facts.batch_share) == (frozenset({"seed"}), 1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: {m: {prompt: cheap, completion: 1}}", "m: prompt: 'cheap' is not US dollars"),
        ("models: {m: {prompt: -1, completion: 1}}", "m: prompt: -1 is not US dollars"),
        ("models: {m: {prompt: .nan, completion: 1}}", "m: prompt: nan is not US dollars"),
        ("models: {m: {prompt: true, completion: 1}}", "m: prompt: True is not US dollars"),
        ("models: {m: {shutdown: soon}}", "m: shutdown: 'soon' is not a date"),
        ("models: {m: {shutdown: 2027-01-14 08:00:00}}", "m: shutdown: .* is not a date"),
        ("models: {m: {shutdown: 2027-13-14}}", "cannot be read"),
        ("models: {m: {refuses: [temprature]}}", "m: refuses: .* is not a list of some of"),
        ("models: {m: {refuses: [[seed]]}}", "m: refuses: .* is not a list of some of"),
        ("models: {m: {structured_output: maybe}}", "m: structured_output: 'maybe' is not true"),
        ("models: {m: {batch_share: 50}}", "m: batch_share: 50 is not above 0 and at most 1"),
        ("models: {m: {substitute: 4}}", "m: substitute: 4 is not the name of a model"),
        ("models: {m: {price: 1}}", "m: 'price' is no field; the fields are prompt,"),
        ("models: {m: 3}", "m: a name with fields below it"),
        ("models: [m]", "models: not entries by name"),
        ("model: {m: {prompt: 1}}", "not a catalog; its sections are as_of, models"),
        ("as_of: today", "as_of: 'today' is not a date"),
        ("", "not a catalog"),
        ("models: {", "cannot be read"),
    ],
)
def test_a_mistake_in_an_own_catalog_is_named_whichever_model_is_asked(write_own, text, words):
    path = write_own(text)
    with pytest.raises(InputError, match=words) as caught:
        read_facts("gpt-4o-mini")
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message


def test_half_a_price_and_a_cache_dearer_than_the_prompt_are_mistakes(write_own):
    write_own("models: {m: {prompt: 1}, gpt-4o-mini: {prompt: 0.05}}")
    with pytest.raises(InputError, match=r"own\.yaml: m: completion is missing"):
        read_facts("m")
    # the packaged cached_prompt of 0.075 stays
    with pytest.raises(InputError, match=r"gpt-4o-mini: cached_prompt 0.075 is above prompt 0.05"):
        read_facts("gpt-4o-mini")


def test_a_missing_or_binary_catalog_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_LENS_CATALOG", str(tmp_path / "none.yaml"))
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read"):
        read_facts("gpt-4")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("FEEDBACK_LENS_CATALOG", str(tmp_path / "binary.yaml"))
    with pytest.raises(InputError, match=r"binary\.yaml: cannot be read"):
        read_facts("gpt-4")


# ---- age


def test_facts_older_than_180_days_are_told():
    assert catalog_date() == TODAY
    # 2027-05-22 is 180 days after 2026-11-23: 7 + 31 + 31 + 28 + 31 + 30 + 22
    assert age_warning(date(2027, 5, 22)) is None
    assert "2026-11-23 (181 days ago)" in str(age_warning(date(2027, 5, 23)))


def test_an_own_catalog_can_date_the_facts_anew(write_own):
    write_own("as_of: 2027-05-01")
    assert catalog_date() == date(2027, 5, 1)
    assert age_warning(date(2027, 5, 23)) is None


# ---- the packaged table itself


@pytest.mark.parametrize("name", TABLE["models"])
def test_a_model_has_positive_prices_and_a_rebate_for_what_is_cached(name):
    price = read_facts(name).price
    assert price is not None
    assert 0 < price.cached_prompt <= price.prompt < price.completion
    assert 0 < ENTRIES[name]["batch_share"] <= 1


@pytest.mark.parametrize("name", ENTRIES)
def test_a_substitute_is_listed_and_outlives_the_model(name):
    facts = read_facts(name)
    if facts.substitute is None:
        return
    assert facts.shutdown is not None
    heir = ENTRIES[facts.substitute]["shutdown"]
    assert heir is None or heir > max(facts.shutdown, TABLE["as_of"])


@pytest.mark.parametrize("name", ENTRIES)
def test_every_fact_has_a_source_and_every_source_a_title_an_address_and_a_date(name):
    entry = ENTRIES[name]
    stated = {field for field, value in entry.items() if value is not None} - {"source"}
    prices = {"prompt", "cached_prompt", "completion"}
    wanted = {"price" if field in prices else field for field in stated}
    assert entry["source"].keys() == wanted
    for key in {key for keys in entry["source"].values() for key in keys}:
        source = TABLE["sources"][key]
        assert source["title"] and source["url"].startswith("https://")
        assert source["date"] <= TABLE["as_of"]


def test_no_source_is_without_a_fact():
    used = {key for e in ENTRIES.values() for keys in e["source"].values() for key in keys}
    assert used == TABLE["sources"].keys()


def test_the_shutdown_dates_are_those_of_the_installed_openai_package():
    docstring = _docstring_of_chat_model()
    announced = {
        name: date.fromisoformat(day)
        for names, day in re.findall(
            r'^- ((?:"[^"]+",?\s*)+):\s+Announced\s+shutdown\s+date:\s+(\d{4}-\d\d-\d\d)',
            docstring,
            re.MULTILINE,
        )
        for name in re.findall(r'"([^"]+)"', names)
    }
    assert len(announced) > 40
    listed = set(TABLE["models"])
    assert {n: ENTRIES[n]["shutdown"] for n in listed & announced.keys()} == {
        n: announced[n] for n in listed & announced.keys()
    }
    # what the package does not announce, the table does not either
    assert all(ENTRIES[n]["shutdown"] is None for n in listed - announced.keys())
    # and a snapshot of a listed model ends when the package says so
    snapshots = {n for n in announced if n not in listed and read_facts(n).price}
    assert {n: read_facts(n).shutdown for n in snapshots} == {n: announced[n] for n in snapshots}


def _docstring_of_chat_model() -> str:
    import openai

    source = Path(openai.__file__).parent / "types" / "shared" / "chat_model.py"
    return source.read_text(encoding="utf-8")


# ---- docs/models.md


def test_the_table_in_the_docs_is_the_catalog():
    text = (DOCS / "models.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- catalog -->\n")[2].partition("<!-- end of catalog -->")[0]
    assert shown.strip() == render_catalog()


def test_the_example_in_the_docs_is_a_catalog(write_own):
    text = (DOCS / "models.md").read_text(encoding="utf-8")
    write_own(text.partition("```yaml\n")[2].partition("```")[0])
    assert read_facts("gpt-4").shutdown is None
    assert read_facts("gpt-6-luna").price == Price(0.1, 0.01, 0.4)
    assert read_facts("Qwen/Qwen3-8B").price == Price(0, 0, 0)
    assert catalog_date() > TODAY


def render_catalog() -> str:
    """The table and its sources, as docs/models.md shows them."""
    columns = "prompt cached completion batch|shut down|substitute|refuses|thinking|schema|sources"
    heads = ["model", *columns.replace(" ", "|", 3).split("|")]
    rows = [heads, ["---"] * len(heads), *(_row(name, e) for name, e in ENTRIES.items())]
    numbers = enumerate(TABLE["sources"].values(), start=1)
    sources = [f"{i}. [{s['title']}]({s['url']}), {s['date']}" for i, s in numbers]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", *sources])


def _row(name: str, entry: dict[str, Any]) -> list[str]:
    numbers = {key: str(i) for i, key in enumerate(TABLE["sources"], start=1)}
    keys = dict.fromkeys(key for keys in entry["source"].values() for key in keys)
    prices = [entry.get(field) for field in ("prompt", "cached_prompt", "completion")]
    schema = entry.get("structured_output")
    return [
        f"`{name}`",
        *("" if price is None else f"{price:.3f}".removesuffix("0") for price in prices),
        "" if entry.get("batch_share") is None else f"{entry['batch_share']:g}",
        str(entry["shutdown"] or ""),
        f"`{entry['substitute']}`" if entry["substitute"] else "",
        *(_list(entry.get(field)) for field in ("refuses", "refuses_thinking")),
        {True: "yes", False: "no", None: ""}[schema],
        ", ".join(sorted((numbers[key] for key in keys), key=int)),
    ]


def _list(settings: list[str] | None) -> str:
    return "" if settings is None else ", ".join(settings) or "none"
