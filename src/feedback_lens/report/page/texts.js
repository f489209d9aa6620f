"use strict";
// Texts of the logs and of models: each apart in its own direction of writing, with what was searched for marked.
const texts = (() => {
  let pattern = null; // of the words that are searched for

  function search(words) {
    const escaped = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
    pattern = escaped.length ? new RegExp(`(${escaped.join("|")})`, "gi") : null;
  }

  // where the first of the words stands; -1 where none does
  const find = (text) => pattern ? text.search(pattern) : -1;

  function mark(text) {
    if (!pattern) return [text];
    // split by a pattern with a group: every second part is a match
    return text.split(pattern).map((part, index) => index % 2 ? make("mark", "", part) : part);
  }

  function show(name, ...children) {
    const block = make("div", `text ${name}`, ...children);
    block.dir = "auto";
    return block;
  }

  const showPlain = (name, text) => show(name, ...mark(text));

  function showInline(name, text) {
    return make("bdi", name, ...mark(text));
  }

  const elements = { "=": "span", "-": "del", "+": "ins" };
  function showDifference(segments) {
    return show("reply difference", ...segments.map(([kind, text]) => make(elements[kind], "", ...mark(text))));
  }

  // the two views of a regeneration, of which one is there
  function showViews(original, reply) {
    const segments = log.readEdits(original, reply.edits);
    const alone = segments.filter(([kind]) => kind !== "-").map(([, text]) => text).join("");
    const views = { "Difference from the original": () => showDifference(segments),
      "Reply alone": () => showPlain("reply", alone) };
    const holder = make("div", "");
    const buttons = Object.entries(views).map(([name, view]) => {
      const button = make("button", "", name);
      button.type = "button";
      button.addEventListener("click", () => {
        for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
        holder.replaceChildren(view());
      });
      return button;
    });
    buttons[0].click();
    const group = make("div", "views", ...buttons);
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "How the regenerated reply is shown");
    const key = reply.whole
      ? "Too long to compare word by word: all of the original is shown as deleted."
      : make("span", "", make("del", "", "struck through"), ": only in the original; ",
        make("ins", "", "underlined"), ": only here");
    return [group, make("p", "key", key), holder];
  }

  return { find, search, showInline, showPlain, showViews };
})();
