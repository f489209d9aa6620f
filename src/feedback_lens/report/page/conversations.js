"use strict";
const all = readData("conversations");

const chip = (label) => make("span", `chip ${label ?? "none"}`, label ?? "unlabeled");
const labeled = (turns) => turns.slice(1); // the first user turn answers no reply

const differs = (turn) => turn.gold !== null && turn.gold !== turn.label;
const golds = { "": () => true, known: (turn) => turn.gold !== null, other: differs };

function showScores(scores) {
  const rows = Object.entries(scores).flatMap(([split, candidates]) =>
    Object.entries(candidates).map(([name, pair]) =>
      make("tr", "", make("th", "", `${split}: ${name.replace("_", " ")}`),
        ...pair.map((score) => make("td", "number", score ?? "–")))));
  const head = ["reward of", "without feedback", "with feedback"].map((name) => make("th", "", name));
  return make("table", "scores", make("tr", "", ...head), ...rows);
}

function showTurn(turn, index) {
  const head = make("p", "turn", `User, turn ${index + 1} `);
  if (index > 0) head.append(chip(turn.label));
  if (turn.confidence !== null) head.append(`confidence ${turn.confidence.toFixed(2)}, `);
  if (index > 0) head.append(turn.outcome ?? "not labeled");
  if (turn.gold !== null)
    head.append(make("span", differs(turn) ? "gold other" : "gold", "gold "), chip(turn.gold));
  for (const split of turn.splits) head.append(" ", make("span", "drawn", `drawn: ${split}`));
  const parts = [head, make("div", "text user", turn.user)];
  if (turn.reply !== null) parts.push(make("div", "text reply", turn.reply));
  for (const reply of turn.replies)
    parts.push(make("details", "again",
      make("summary", "", `${reply.name.replace("_", ", ")}: ${reply.outcome}, by ${reply.model}`),
      make("div", "text reply", reply.text)));
  if (Object.keys(turn.scores).length)
    parts.push(make("details", "again", make("summary", "", "reward scores"), showScores(turn.scores)));
  return make("article", "", ...parts);
}

function showConversation(conversation) {
  const chips = labeled(conversation.turns).map((turn) => chip(turn.label));
  const first = conversation.turns[0].user;
  const opening = make("span", "opening", first.length > 90 ? `${first.slice(0, 90)}…` : first);
  const card = make("details", "card", make("summary", "",
    make("b", "", conversation.corpus), " ", opening, " ", ...chips));
  const fill = () => card.childElementCount === 1 && card.append(
    make("p", "unit", `${conversation.id}, ${conversation.model ?? "unknown model"}`),
    ...conversation.turns.map(showTurn));
  card.addEventListener("toggle", fill);
  if (location.hash.slice(1) === encodeURIComponent(conversation.id)) { card.open = true; fill(); }
  return card;
}

function matches(conversation) {
  const word = field("text").value.trim().toLowerCase();
  const texts = conversation.turns.flatMap((t) => [t.user, t.reply, ...t.replies.map((r) => r.text)]);
  return (!field("corpus").value || conversation.corpus === field("corpus").value)
    && (!field("label").value || labeled(conversation.turns).some((t) => t.label === field("label").value))
    && conversation.turns.some(golds[field("gold").value])
    && (!word || [conversation.id, ...texts].some((text) => (text ?? "").toLowerCase().includes(word)));
}

function refresh() {
  const found = all.filter(matches);
  field("list").replaceChildren(...found.map(showConversation));
  field("count").textContent = `${found.length} of ${all.length} conversations`;
}

field("filters").addEventListener("input", refresh);
field("filters").addEventListener("submit", (event) => event.preventDefault());
refresh();
