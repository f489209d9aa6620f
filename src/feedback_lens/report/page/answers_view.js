"use strict";
// A question with the answers of models A and B, and what the judges said of them.
const answerView = (() => {
  const { nameJudge, nameModel } = answerScores;
  // what stays open or closed from question to question
  const opened = { history: true, checklist: true, reference: false };
  const outcomes = { cut_off: "cut off at the longest length", refused: "refused", filtered: "withheld by a filter", failed: "failed" };
  const formatScore = (score) => score === null ? "–" : score.toFixed(2);

  function write(kind, text, pattern) {
    const parts = pattern ? text.split(pattern) : [text]; // a match stands at each odd place
    const box = make("div", `answers-text ${kind}`, ...parts.map((part, place) => place % 2 ? make("mark", "", part) : part));
    box.dir = "auto";
    return box;
  }

  function fold(kind, title, ...content) {
    const box = make("details", "answers-fold", make("summary", "", title), ...content);
    box.open = opened[kind];
    box.addEventListener("toggle", () => { opened[kind] = box.open; });
    return box;
  }

  function showContext(question, pattern) {
    const { categories, history, checklist } = question;
    const parts = [make("p", "answers-about", `Question ${question.id}: `,
      ...categories.map((name) => make("span", "answers-chip", name)))];
    if (history.length)
      parts.push(fold("history", `The conversation so far: ${history.length} message${history.length > 1 ? "s" : ""}`,
        ...history.map(([role, text]) => make("div", `answers-message ${role === "user" ? "user" : ""}`,
          make("p", "answers-role", role), write(role === "user" ? "user" : "reply", text, pattern)))));
    if (checklist.length) {
      const points = checklist.map((text) => { const point = make("li", "", text); point.dir = "auto"; return point; });
      parts.push(fold("checklist", `Checklist for the judge: ${checklist.length} points`, make("ol", "answers-checklist", ...points)));
    }
    return make("div", "answers-context", ...parts);
  }

  function showJudgment(judge, [, repetition, score, outcome, words], draws, pattern) {
    const verdict = score === null ? `no score: ${outcome}` : formatScore(score);
    const head = make("p", "answers-verdict", make("b", score === null ? "unscored" : "score", verdict), ` ${nameJudge(judge)}`);
    if (draws > 1) head.append(`, draw ${repetition + 1} of ${draws}`);
    const parts = [head];
    if (words !== null) parts.push(write("words", answerData.texts[words], pattern));
    return make("div", "answers-judgment", ...parts);
  }

  function showJudgments(judges, question, model, turn, pattern) {
    const shown = judges.flatMap((judge) => {
      const rows = judge.rows[question][model].filter((row) => row[0] === turn)
        .sort((one, other) => one[1] - other[1]);
      return rows.length ? rows.map((row) => showJudgment(judge, row, rows.length, pattern))
        : [make("p", "answers-verdict", `Not judged by the ${nameJudge(judge)}.`)];
    });
    if (!judges.length) shown.push(make("p", "answers-verdict", "No judge rates this benchmark."));
    return make("div", "answers-judgments", ...shown);
  }

  function showAnswer(side, name, [number, outcome, tokens], pattern) {
    const about = [];
    if (tokens !== null) about.push(`${tokens} token${tokens === 1 ? "" : "s"}`);
    const head = make("h4", "answers-model", make("b", "answers-letter", side), ` ${name} `, make("span", "answers-tokens", about.join("")));
    if (outcome !== "answered") head.append(" ", make("span", "answers-outcome", outcomes[outcome] ?? outcome));
    if (number === null) return [head, make("p", "answers-empty", `No answer: ${outcome}.`)];
    const text = answerData.texts[number];
    return [head, text.trim() ? write("answer", text, pattern) : make("p", "answers-empty", "The answer is empty.")];
  }

  const verdictNames = { win: ["A wins", "B wins"], loss: ["B wins", "A wins"], tie: ["a tie", "a tie"] };

  // row of a pair: model, other, turn, order, repetition, verdict, outcome, words
  function showVerdict(judge, row, turned, pattern) {
    const [, , , order, repetition, verdict, outcome, words] = row;
    const first = (order === 0) === !turned ? "A" : "B";
    const told = verdict === null ? `no verdict: ${outcome}` : verdictNames[verdict][Number(turned)];
    const seen = judge.model === null ? `, in its words ${turned ? "B" : "A"}'s answer first`
      : `, shown ${first}'s answer first, as “Assistant A”`;
    const head = make("p", "answers-verdict", make("b", verdict === null ? "unscored" : "score", told),
      ` ${nameJudge(judge)}${seen}${repetition ? `, draw ${repetition + 1}` : ""}`);
    const parts = words === null ? [head] : [head, write("words", answerData.texts[words], pattern)];
    return make("div", "answers-judgment", ...parts);
  }

  function showVerdicts(state, turn) {
    const { benchmark, question, a, b, pattern } = state;
    const shown = benchmark.pairs.flatMap((judge) => judge.rows[question]
      .filter((row) => row[2] === turn && ((row[0] === a && row[1] === b) || (row[0] === b && row[1] === a)))
      .map((row) => showVerdict(judge, row, row[0] === b, pattern)));
    return shown.length
      ? [make("div", "answers-pair", make("h4", "", "A against B"), make("div", "answers-orders", ...shown))] : [];
  }

  function showTurn(state, index) {
    const { benchmark, question, judges, pattern } = state;
    const { turns, references } = benchmark.questions[question];
    const turn = index + 1;
    const sides = ["a", "b"].map((side) => {
      const model = state[side];
      const name = nameModel(answerData.models[model]);
      const answer = showAnswer(side.toUpperCase(), name, benchmark.answers[question][model][index], pattern);
      const article = make("article", `answers-side side-${side}`, make("div", "answers-answer", ...answer),
        showJudgments(judges, question, model, turn, pattern));
      article.setAttribute("aria-label", `Answer of model ${side.toUpperCase()}, ${name}`);
      return article;
    });
    const parts = [make("h3", "answers-turn", turns.length > 1 ? `Turn ${turn} of ${turns.length}` : "Question"),
      write("user", turns[index], pattern)];
    if (references[index] !== undefined)
      parts.push(fold("reference", "Reference answer", write("reply", references[index], pattern)));
    return make("section", "answers-exchange", ...parts, make("div", "answers-versus", ...sides), ...showVerdicts(state, turn));
  }

  const showPair = (state) => {
    const shown = state.benchmark.questions[state.question];
    return [showContext(shown, state.pattern), ...shown.turns.map((_, index) => showTurn(state, index))];
  };
  return { formatScore, showPair };
})();
