"use strict";
// One turn with all that is known of it.
const turns = (() => {
  const splits = { neg: "negative", pos: "positive", rand: "random" };
  const drawnFor = { neg: "negative feedback in the next turn", pos: "positive feedback in the next turn", rand: "the random split" };
  const candidates = { weak: "original reply", weak_next: "next reply, after the feedback",
    scratch: "regenerated from scratch", semantic: "regenerated in view of the feedback" };
  const digits = (number) => number === null ? "–" : number.toFixed(2).replace("-", "−");

  const chip = (label) => make("span", `chip ${label ?? "none"}`, label ?? "unlabeled");

  function showHead(turn) {
    const head = make("p", "turn", make("b", "", `User, turn ${turn.number}`), " ");
    if (turn.number === 1) return head;
    head.append(chip(turn.label), " ", turn.label === null ? turn.outcome : log.labels[turn.label]);
    if (turn.confidence !== null) head.append(`, confidence ${digits(turn.confidence)}`);
    return head;
  }

  function showVerdict(verdict, turn) {
    const item = make("li", "", verdict.own ? `${verdict.detector} (labels this log)` : verdict.detector, " ",
      chip(verdict.label), verdict.label === null ? ` ${verdict.outcome}` : "",
      verdict.confidence === null ? "" : ` ${digits(verdict.confidence)}`);
    if (turn.gold !== null && verdict.label !== turn.gold) item.append(make("span", "other", " not the gold"));
    return item;
  }

  // who said what, where more than the log's own detector spoke
  function showVerdicts(turn) {
    if (turn.gold === null && turn.verdicts.length < 2) return [];
    const items = turn.verdicts.map((verdict) => showVerdict(verdict, turn));
    if (turn.gold !== null)
      items.unshift(make("li", "gold", "gold ", chip(turn.gold), ` of ${turn.gold_set}`));
    const list = make("ul", "verdicts", ...items);
    list.setAttribute("aria-label", `Labels of turn ${turn.number}, by annotators and detectors`);
    return [list];
  }

  function listRated(rating) {
    const met = rating.met?.map((number) => log.criteria[number]) ?? [];
    const count = rating.met ? `quality: ${met.length} of ${log.criteria.length} criteria` : "quality not rated";
    return [`${count}${met.length ? ` (${met.join(", ")})` : ""}`,
      `difficulty ${rating.difficulty ?? "not rated"}`, `${rating.tokens} tokens`];
  }

  // of a turn that a split drew: the prompt of which toxicity and quality were measured
  function showPrompt(turn) {
    if (!turn.splits.length) return [];
    const facts = [`Prompt drawn for: ${turn.splits.map((name) => drawnFor[name] ?? name).join(", ")}`];
    if (turn.toxicity !== null)
      facts.push(`toxicity ${typeof turn.toxicity === "number" ? digits(turn.toxicity) : turn.toxicity}`);
    if (turn.rating !== null) facts.push(...listRated(turn.rating));
    return [make("p", "facts", facts.join(" · "))];
  }

  function showRefusal(turn) {
    if (turn.refusal === null) return [];
    const signs = ["its cluster of replies", "a phrase in its opening"].filter((_, place) => turn.refusal[place]);
    return [make("p", "facts again", signs.length ? `Refusal, by ${signs.join(" and ")}` : "No refusal")];
  }

  function showScore(score, best) {
    return make("td", best ? "number best" : "number", digits(score), ...(best ? [" ", make("span", "", "best")] : []));
  }

  function showScores([split, scores]) {
    const rows = Object.entries(scores);
    const best = [0, 1].map((place) => Math.max(...rows.map(([, pair]) => pair[place] ?? -Infinity)));
    const head = ["", "without the feedback", "with the feedback"].map((name, place) => {
      const cell = make(place ? "th" : "td", place ? "number" : "", name);
      if (place) cell.scope = "col";
      return cell;
    });
    const lines = rows.map(([name, pair]) => {
      const title = make("th", "", candidates[name] ?? name);
      title.scope = "row";
      return make("tr", "", title, ...pair.map((score, place) => showScore(score, score !== null && score === best[place])));
    });
    const caption = make("caption", "", `Reward, ${splits[split] ?? split} split; compare within a column`);
    return make("table", "scores", caption, make("thead", "", make("tr", "", ...head)), make("tbody", "", ...lines));
  }

  function showRegeneration(turn, reply) {
    const [split, method] = reply.name.split("_");
    const pair = turn.scores[split]?.[method];
    const reward = pair ? `; reward ${digits(pair[0])} without, ${digits(pair[1])} with the feedback` : "";
    const title = candidates[method] ?? method;
    const outcome = reply.outcome === "answered" ? "" : `, ${reply.outcome.replace("_", " ")}`;
    const summary = make("summary", "", make("b", "", title[0].toUpperCase() + title.slice(1)),
      ` (${splits[split] ?? split} split, by ${reply.model}${outcome})${reward}`);
    const card = make("details", "again", summary);
    card.addEventListener("toggle", () => card.childElementCount === 1 && card.append(
      ...(reply.edits ? texts.showViews(turn.reply ?? "", reply) : [make("p", "facts", "The server sent no text.")])));
    return card;
  }

  function show(turn, matched) {
    const parts = [showHead(turn), ...showVerdicts(turn), texts.showPlain("user", turn.user), ...showPrompt(turn)];
    if (matched) parts[0].append(" ", make("span", "matches", "matches"));
    if (turn.reply !== null)
      parts.push(make("p", "turn again", "Reply"), texts.showPlain("reply", turn.reply), ...showRefusal(turn));
    parts.push(...turn.replies.map((reply) => showRegeneration(turn, reply)),
      ...Object.entries(turn.scores).map(showScores));
    const article = make("article", matched ? "match" : "", ...parts);
    article.setAttribute("aria-label", `Turn ${turn.number}`);
    return article;
  }

  return { chip, show };
})();
