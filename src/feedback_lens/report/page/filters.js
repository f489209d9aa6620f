"use strict";
// Which conversations and turns the form asks for: each test takes what a field holds.
const filters = (() => {
  const form = field("filters");
  const negative = (label) => label !== null && label.startsWith("NEG_");
  const distinct = (turn) => new Set(turn.heard).size;

  const labels = {
    feedback: (turn) => turn.label !== null && turn.label !== "NEU",
    negative: (turn) => negative(turn.label),
    unlabeled: (turn) => turn.number > 1 && turn.label === null,
  };
  const agreements = {
    agree: (turn) => turn.heard.length > 1 && distinct(turn) === 1,
    differ: (turn) => distinct(turn) > 1,
    gold: (turn) => turn.gold !== null,
    right: (turn) => turn.gold !== null && turn.gold === turn.label,
    wrong: (turn) => turn.gold !== null && turn.gold !== turn.label,
  };
  const ofTurn = {
    label: (value) => labels[value] ?? ((turn) => turn.label === value),
    detectors: (value) => agreements[value],
    confidence: (value) => (turn) => turn.lowest !== null && turn.lowest <= Number(value),
    turn: (value) => (turn) => Math.min(turn.number, 5) === Number(value),
    toxicity: (value) => (turn) => typeof turn.toxicity === "number" && turn.toxicity >= Number(value),
    split: (value) => (turn) => value === "some" ? turn.splits.length > 0 : turn.splits.includes(value),
  };
  const ofConversation = {
    words: (value) => {
      const words = listWords(value);
      return (conversation) => words.every((word) => log.lowerText(conversation).includes(word));
    },
    corpus: (value) => (conversation) => conversation.corpus === value,
    turns: (value) => (conversation) => conversation.turns.length >= Number(value),
    language: (value) => (conversation) => conversation.language === value,
  };

  const listWords = (text) => text.toLowerCase().split(/\s+/).filter((word) => word);
  // what a field does not take filters nothing; its border says so
  const isUsed = ([name, value]) => value.trim() && form.elements.namedItem(name).validity.valid;
  const read = () => new URLSearchParams([...new FormData(form)].filter(isUsed));
  const build = (tests, values) => [...values].filter(([name]) => Object.hasOwn(tests, name))
    .map(([name, value]) => tests[name](value));

  // sets the form; returns what of it the page does not have, or a field does not take
  function write(values) {
    form.reset();
    return [...values].filter(([name, value]) => {
      const input = form.elements.namedItem(name);
      if (!input) return true;
      input.value = value;
      if (input.value === value && input.validity.valid) return false;
      input.value = "";
      return true;
    }).map((pair) => pair.join("="));
  }

  // the conversations that match, each with its turns that do; null where no filter is of turns
  function search() {
    const values = read();
    const [conversationTests, turnTests] = [build(ofConversation, values), build(ofTurn, values)];
    const found = [];
    for (const conversation of log.all) {
      if (!conversationTests.every((test) => test(conversation))) continue;
      const turns = conversation.turns.filter((turn) => turnTests.every((test) => test(turn)));
      if (turns.length) found.push({ conversation, turns: turnTests.length ? new Set(turns) : null });
    }
    return found;
  }

  // where the logs hold several languages, one can be chosen
  function listLanguages() {
    const names = [...new Set(log.all.map((one) => one.language).filter((name) => name))].sort();
    const select = form.elements.namedItem("language");
    select.append(...names.map((name) => new Option(name, name)));
    select.parentElement.hidden = names.length < 2;
  }

  const words = () => listWords(form.elements.namedItem("words").value);
  return { form, listLanguages, read, search, words, write };
})();
