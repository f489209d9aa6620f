"use strict";
// The answers' data, and what follows from them: names, means, and where a word stands.
const answerData = field("answers-data") && readData("answers");

const answerScores = (() => {
  function average(values) {
    const known = values.filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  }

  const nameRecipe = ({ base, corpus, recipe }) =>
    corpus === null ? `${base}, untrained` : `${base}, ${corpus}, ${recipe}`;
  const nameModel = (model) =>
    nameRecipe(model) + (model.seed === null ? "" : `, seed ${model.seed}`);
  const nameJudge = ({ name, model }) =>
    model === null ? `${name} judge, a stand-in` : `${name} judge (${model})`;
  const nameQuestion = ({ id, turns }) => {
    const words = turns[0].replace(/\s+/g, " ").trim();
    return `${id}: ${words.length > 80 ? `${words.slice(0, 80)}…` : words}`;
  };

  // rows of judgments: turn, repetition, score, outcome, words
  const scoreTurn = (rows, turn) => average(rows.filter((row) => row[0] === turn).map((row) => row[2]));
  const scoreAnswers = (rows) =>
    average([...new Set(rows.map((row) => row[0]))].map((turn) => scoreTurn(rows, turn)));
  const scoreModel = (judge, question, model) => judge ? scoreAnswers(judge.rows[question][model]) : null;

  // the models of one recipe, which differ in their seed
  function groupModels(models) {
    const groups = new Map();
    models.forEach((model, place) => {
      const name = nameRecipe(model);
      groups.set(name, [...(groups.get(name) ?? []), place]);
    });
    return [...groups].map(([name, members]) => ({ name, members }));
  }

  const listCategories = (benchmark) =>
    [...new Set(benchmark.questions.flatMap((question) => question.categories))].sort();

  function makePattern(word) {
    const escaped = word.trim().replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    return escaped ? new RegExp(`(${escaped})`, "giu") : null;
  }

  // the places of the benchmark's questions of a category that hold a word, or whose answers do
  function findQuestions(benchmark, category, pattern) {
    const holds = (text) => text.search(pattern) >= 0;
    const known = new Map();
    const answerHolds = (number) => {
      if (!known.has(number)) known.set(number, holds(answerData.texts[number]));
      return known.get(number);
    };
    const matches = ({ id, turns, history, references, checklist }, place) => {
      const own = [id, ...turns, ...history.map((message) => message[1]), ...references, ...checklist];
      return own.some(holds)
        || benchmark.answers[place].flat().some(([number]) => number !== null && answerHolds(number));
    };
    return benchmark.questions.map((_, place) => place).filter((place) => {
      const question = benchmark.questions[place];
      return (!category || question.categories.includes(category))
        && (!pattern || matches(question, place));
    });
  }

  return { average, findQuestions, groupModels, listCategories, makePattern, nameJudge, nameModel, nameQuestion, scoreModel };
})();
