"use strict";
// The state of the answers' browser, which stands in the address: #answers?benchmark=..&question=..&a=..&b=..
if (answerData) {
  const { findQuestions, listCategories, makePattern, nameJudge, nameModel, nameQuestion, scoreModel } = answerScores;
  const START = "#answers?";
  const { benchmarks, models } = answerData;
  const at = (name) => field(`answers-${name}`);
  const state = {}; // benchmark, question, a, b, judge (places), and judges, the chosen one first
  let lacking = []; // what a link named and the page has not

  function complete(chosen) {
    const benchmark = chosen.benchmark ?? benchmarks[0];
    const a = chosen.a ?? 0;
    const near = models.findIndex((model, place) => place !== a && model.base === models[a].base);
    const judge = chosen.judge ?? 0;
    const judges = [...benchmark.judges.slice(judge, judge + 1), ...benchmark.judges.filter((_, place) => place !== judge)];
    return { benchmark, question: chosen.question ?? 0, a, b: chosen.b ?? Math.max(near, 0), judge, judges };
  }

  function readAddress() {
    const wanted = new URLSearchParams(location.hash.slice(START.length));
    lacking = [];
    const find = (key, items, name) => {
      if (!wanted.has(key)) return undefined;
      const place = items.findIndex((item) => item[name] === wanted.get(key));
      if (place < 0) lacking.push(`${key} ${wanted.get(key)}`);
      return place < 0 ? undefined : place;
    };
    const benchmark = benchmarks[find("benchmark", benchmarks, "name") ?? 0];
    return complete({ benchmark, question: find("question", benchmark.questions, "id"), a: find("a", models, "key"),
      b: find("b", models, "key"), judge: find("judge", benchmark.judges, "name") });
  }

  function writeAddress({ benchmark, question, a, b, judge }) {
    const parts = { benchmark: benchmark.name, question: benchmark.questions[question].id, a: models[a].key, b: models[b].key };
    if (judge > 0) parts.judge = benchmark.judges[judge].name;
    const encode = (text) => encodeURIComponent(text).replaceAll("%2F", "/");
    return START + Object.entries(parts).map(([key, value]) => `${key}=${encode(value)}`).join("&");
  }

  function fillSelect(name, options, chosen) {
    at(name).replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    at(name).value = String(chosen);
  }

  function fillBenchmark() {
    const { benchmark, judge } = state;
    const categories = listCategories(benchmark).map((name) => [name, name]);
    fillSelect("category", [["", "all"], ...categories], "");
    fillSelect("judge", benchmark.judges.map((own, place) => [place, nameJudge(own)]), judge);
    at("judges").hidden = benchmark.judges.length < 2;
  }

  function find() {
    state.pattern = makePattern(at("text").value);
    return findQuestions(state.benchmark, at("category").value, state.pattern);
  }

  function tellStatus(found) {
    const { benchmark, question, a, b, judges: [judge] } = state;
    const { questions, total } = benchmark;
    const place = found.indexOf(question);
    const about = total > questions.length ? ` (of ${total} in the benchmark, spread over it)` : "";
    const count = found.length === 0 ? "No question has it; the last one is still shown"
      : `Question ${place + 1} of ${found.length}${found.length < questions.length ? ` found among ${questions.length}` : ""}${about}`;
    const scores = judge ? [a, b].map((model) => answerView.formatScore(scoreModel(judge, question, model))) : [];
    const told = judge ? `. ${nameJudge(judge)}: A ${scores[0]}, B ${scores[1]}` : "";
    const missing = lacking.length ? ` This page lacks what the link names: ${lacking.join(", ")}.` : "";
    at("status").textContent = `${count}${told}.${missing}`;
  }

  function refresh() {
    const key = document.activeElement?.dataset?.key;
    const found = find();
    const listed = found.includes(state.question) ? found : [state.question, ...found];
    fillSelect("question", listed.map((place) => [place, nameQuestion(state.benchmark.questions[place])]), state.question);
    for (const side of ["a", "b"]) at(side).value = String(state[side]);
    at("benchmark").value = String(benchmarks.indexOf(state.benchmark));
    at("judge").value = String(state.judge);
    const place = found.indexOf(state.question);
    at("previous").disabled = place <= 0;
    at("next").disabled = place >= found.length - 1;
    at("overview").replaceChildren(answerLists.showModels(state, pickFromList, refresh));
    at("differences").replaceChildren(answerLists.showDifferences(state, pickFromList, refresh));
    at("shown").replaceChildren(...answerView.showPair(state));
    tellStatus(found);
    if (key) [...document.querySelectorAll("#answers [data-key]")].find((each) => each.dataset.key === key)?.focus({ preventScroll: true });
  }

  function show(next) {
    const other = next.benchmark !== state.benchmark;
    Object.assign(state, next);
    if (other) fillBenchmark();
    refresh();
  }

  // from a list, which may stand far above what it chooses
  function pickFromList(change) {
    pick(change);
    const { top } = at("shown").getBoundingClientRect();
    if (top > innerHeight * 2 / 3) at("shown").scrollIntoView();
  }

  // `replaces`: the address changes without an entry in the history
  function pick(change, replaces = false) {
    lacking = [];
    show(complete({ ...state, ...change }));
    const address = writeAddress(state);
    if (replaces) location.replace(address);
    else location.hash = address;
  }

  function step(by) {
    const found = find();
    const next = found[found.indexOf(state.question) + by];
    if (next !== undefined) pick({ question: next });
  }

  function filter() {
    const found = find();
    if (found.length && !found.includes(state.question)) pick({ question: found[0] }, true);
    else refresh();
  }

  function follow() {
    if (location.hash !== "" && !location.hash.startsWith(START)) return;
    if (location.hash === writeAddress(state)) return;
    show(readAddress());
    if (location.hash) field("answers").scrollIntoView();
  }

  fillSelect("benchmark", benchmarks.map(({ name }, place) => [place, name]), 0);
  for (const side of ["a", "b"]) fillSelect(side, models.map((model, place) => [place, nameModel(model)]), 0);
  for (const list of document.querySelectorAll(".answers-list")) list.open = matchMedia("(min-width: 800px)").matches;
  const number = (name) => Number(at(name).value);
  at("benchmark").addEventListener("change", () => pick({ benchmark: benchmarks[number("benchmark")], question: 0, judge: 0 }));
  for (const name of ["question", "a", "b", "judge"]) at(name).addEventListener("change", () => pick({ [name]: number(name) }));
  at("category").addEventListener("change", filter);
  at("text").addEventListener("input", filter);
  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  at("swap").addEventListener("click", () => pick({ a: state.b, b: state.a }));
  at("form").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", follow);
  show(location.hash.startsWith(START) ? readAddress() : complete({}));
  if (location.hash.startsWith(START)) field("answers").scrollIntoView();
}
