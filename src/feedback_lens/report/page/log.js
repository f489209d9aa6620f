"use strict";
// The conversations as the page's data hold them; what stands there is no markup and no code.
const log = (() => {
  const { detectors, criteria, labels, conversations } = readData("conversations");
  // what is not known is left out of the data
  const unknownTurn = { reply: null, label: null, confidence: null, outcome: "not labeled", gold: null,
    gold_set: null, said: [], splits: [], toxicity: null, rating: null, refusal: null, replies: [], scores: {} };
  const unknown = { model: null, language: null, time: null };

  // what each detector said of the turn, the corpus' own first
  function listVerdicts(turn, corpus) {
    const own = { detector: detectors[corpus], own: true, label: turn.label,
      confidence: turn.confidence, outcome: turn.label ?? turn.outcome };
    const others = turn.said.map(([detector, label, confidence, outcome]) =>
      ({ detector, own: false, label: label ?? null, confidence: confidence ?? null, outcome: label ?? outcome }));
    return [...(turn.number > 1 ? [own] : []), ...others];
  }

  function readTurn(known, index, corpus) {
    const turn = { ...unknownTurn, ...known, number: index + 1 };
    turn.verdicts = listVerdicts(turn, corpus);
    turn.heard = turn.verdicts.map((verdict) => verdict.label).filter((label) => label !== null);
    const confidences = turn.verdicts.map((verdict) => verdict.confidence).filter((given) => given !== null);
    turn.lowest = confidences.length ? Math.min(...confidences) : null;
    return turn;
  }

  const all = conversations.map((known) => ({ ...unknown, ...known,
    turns: known.turns.map((turn, index) => readTurn(turn, index, known.corpus)) }));

  // edits keep (> 0) or delete (< 0) so many characters of the original, or insert a text
  function readEdits(original, edits) {
    let start = 0;
    return edits.map((edit) => {
      if (typeof edit === "string") return ["+", edit];
      const text = original.slice(start, start += Math.abs(edit));
      return [edit > 0 ? "=" : "-", text];
    });
  }

  // no word passes the edge of an edit, so that what is kept of the original need not be looked at
  const listTexts = (turn) => [turn.user, turn.reply ?? "",
    ...turn.replies.flatMap((reply) => (reply.edits ?? []).filter((edit) => typeof edit === "string"))];

  function lowerText(conversation) {
    conversation.lower ??= [conversation.id, ...conversation.turns.flatMap(listTexts)].join("\n").toLowerCase();
    return conversation.lower;
  }

  // the first search need not wait for the texts where there is time before
  function prepare(start = 0) {
    for (const conversation of all.slice(start, start + 50)) lowerText(conversation);
    if (start < all.length) (window.requestIdleCallback ?? setTimeout)(() => prepare(start + 50));
  }

  return { all, criteria, labels, lowerText, prepare, readEdits };
})();
