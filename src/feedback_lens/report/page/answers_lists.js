"use strict";
// Two tables to choose from: the models by their score on a question, the questions by how far A and B differ.
const answerLists = (() => {
  const { average, groupModels, nameJudge, nameQuestion, scoreModel } = answerScores;
  const { formatScore } = answerView;
  // by table: the column (null: the one it starts with), and whether it falls
  const sorting = { models: { column: null, falls: true }, differences: { column: null, falls: true } };
  const starts = { models: 1, differences: 3 };
  function findColumn(table, columns) {
    const chosen = columns.indexOf(sorting[table].column);
    return chosen < 0 ? starts[table] : chosen;
  }


  function press(label, key, action, { aloud, pressed } = {}) {
    const button = make("button", "", label);
    button.type = "button";
    button.dataset.key = key; // finds the focus again after the table is written anew
    if (aloud) button.setAttribute("aria-label", aloud);
    if (pressed !== undefined) button.setAttribute("aria-pressed", pressed);
    button.addEventListener("click", action);
    return button;
  }

  function compare(one, other) {
    if (one === other) return 0;
    if (one === null || other === null) return one === null ? -1 : 1;
    return typeof one === "string" ? one.localeCompare(other) : one - other;
  }

  function showHead(table, columns, place, refresh) {
    const { falls } = sorting[table];
    const by = findColumn(table, columns);
    const cell = make("th", place ? "number" : "");
    cell.scope = "col";
    cell.setAttribute("aria-sort", by !== place ? "none" : falls ? "descending" : "ascending");
    const sort = () => {
      sorting[table] = { column: columns[place], falls: by === place ? !falls : place > 0 };
      refresh();
    };
    cell.append(press(columns[place], `${table} sort ${place}`, sort));
    return cell;
  }

  // a row: its `keys`, which it is sorted by, its `cells`, and whether it is `current`
  function showTable(table, columns, rows, refresh) {
    const { falls } = sorting[table];
    const by = findColumn(table, columns);
    const ordered = [...rows].sort((one, other) => (falls ? -1 : 1) * compare(one.keys[by], other.keys[by]));
    const head = columns.map((_, place) => showHead(table, columns, place, refresh));
    const body = ordered.map(({ cells, current }) =>
      make("tr", current ? "current" : "", ...cells.map((cell, place) => make("td", place ? "number" : "", cell))));
    return make("table", "answers-table", make("thead", "", make("tr", "", ...head)), make("tbody", "", ...body));
  }

  function showModels(state, pick, refresh) {
    const { benchmark, question } = state;
    const rows = groupModels(answerData.models).map(({ name, members }) => {
      const scores = state.judges.map((judge) => average(members.map((model) => scoreModel(judge, question, model))));
      const tokens = average(members.flatMap((model) => benchmark.answers[question][model].map((turn) => turn[2])));
      const sides = ["a", "b"].map((side) => {
        const shown = members.includes(state[side]);
        return press(side.toUpperCase(), `models ${side} ${name}`, () => pick({ [side]: shown ? state[side] : members[0] }),
          { aloud: `${name} as model ${side.toUpperCase()}`, pressed: shown });
      });
      const cells = [make("span", "answers-pick", ...sides, make("span", "", name)), ...scores.map(formatScore), members.length, tokens === null ? "–" : tokens.toFixed(0)];
      return { keys: [name, ...scores, members.length, tokens], cells, current: members.includes(state.a) || members.includes(state.b) };
    });
    return showTable("models", ["Model", ...state.judges.map(nameJudge), "Seeds", "Tokens"], rows, refresh);
  }

  function showDifferences(state, pick, refresh) {
    const { benchmark, a, b } = state;
    const [judge] = state.judges;
    const rows = benchmark.questions.map((shown, question) => {
      const scores = [a, b].map((model) => scoreModel(judge, question, model));
      const less = scores.includes(null) ? null : scores[0] - scores[1];
      const told = less === null ? "–" : `${less > 0 ? "+" : less < 0 ? "−" : "±"}${Math.abs(less).toFixed(2)}`;
      const name = press(nameQuestion(shown), `differences ${shown.id}`, () => pick({ question }));
      name.dir = "auto";
      const keys = [question, ...scores, less === null ? null : Math.abs(less)];
      return { keys, cells: [name, ...scores.map(formatScore), told], current: question === state.question };
    });
    const table = showTable("differences", ["Question", "A", "B", "A − B"], rows, refresh);
    table.prepend(make("caption", "", judge ? `by the ${nameJudge(judge)}` : "No judge rates this benchmark."));
    return table;
  }

  return { showModels, showDifferences };
})();
