"use strict";
// The list of conversations: what is searched for, what is open, and what the address names.
(() => {
  if (!filters.form) return;
  const PAGE = 50;
  const OPENING = 110; // characters of a conversation that a closed card shows
  const EDITED = "edited"; // the state of an address that the form has made
  const opened = new Set();
  const cards = new Map(); // those that the list shows, by conversation
  let [found, linked, shown, edited] = [[], null, 0, null];

  // the first dash that is not encoded ends the corpus
  const nameLink = ({ corpus, id }) =>
    `#conversation-${encodeURIComponent(corpus).replaceAll("-", "%2D")}-${encodeURIComponent(id)}`;

  // how it begins, or where one of the words that are searched for stands first
  function cutOpening(conversation) {
    const all = conversation.turns.flatMap((turn) => [turn.user, turn.reply ?? ""]);
    const text = all.find((one) => texts.find(one) >= 0) ?? all[0];
    const start = Math.max(0, texts.find(text) - OPENING / 2);
    const cut = text.slice(start, start + OPENING).replace(/\s+/g, " ");
    return `${start ? "…" : ""}${cut}${start + OPENING < text.length ? "…" : ""}`;
  }

  function showLink(conversation) {
    const link = make("a", "", "Link to this conversation");
    link.href = nameLink(conversation);
    const button = make("button", "", "Copy the link");
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(link.href);
        button.textContent = "Copied";
      } catch {
        location.hash = link.hash; // where a page may not copy, the address has it
        button.textContent = "The address has it";
      }
    });
    return make("p", "link", link, " ", button);
  }

  function fill(card, { conversation, turns: matched }) {
    if (card.childElementCount > 1) return;
    const facts = [conversation.model ?? "unknown model", conversation.language, conversation.time?.slice(0, 10)];
    card.append(
      make("p", "facts", texts.showInline("", conversation.id), ` · ${facts.filter((fact) => fact).join(" · ")}`),
      showLink(conversation), ...conversation.turns.map((turn) => turns.show(turn, matched?.has(turn))));
  }

  function showCard(match) {
    const { conversation, turns: matched } = match;
    const chips = conversation.turns.slice(1).map((turn) => {
      const chip = turns.chip(turn.label);
      chip.classList.toggle("matched", Boolean(matched?.has(turn)));
      return chip;
    });
    const summary = make("summary", "", make("b", "", conversation.corpus), " ",
      texts.showInline("opening", cutOpening(conversation)), " ", make("span", "chips", ...chips));
    const card = make("details", "card", summary);
    cards.set(conversation, card);
    // no id: where the address names one, the browser itself would go there and take the focus away
    card.dataset.link = nameLink(conversation);
    card.addEventListener("toggle", () => {
      if (card.open) { opened.add(conversation); fill(card, match); } else opened.delete(conversation);
    });
    if (opened.has(conversation)) { card.open = true; fill(card, match); }
    return card;
  }

  function showMore() {
    const more = found.slice(shown, shown + PAGE).map(showCard);
    field("list").append(...more);
    shown += more.length;
    field("more").hidden = shown >= found.length;
    return more[0];
  }

  // `lacking`: what the address names and the page has not
  function count(lacking) {
    const turns = found.reduce((sum, match) => sum + (match.turns?.size ?? match.conversation.turns.length), 0);
    const missing = lacking.length ? `This page lacks what the link names: ${lacking.join(", ")}. ` : "";
    return `${missing}${found.length} of ${log.all.length} conversations, ${turns} turns`;
  }

  // the linked conversation stands first where it is not among those that are shown
  function refresh(lacking = []) {
    texts.search(filters.words());
    found = filters.search();
    const place = found.findIndex((match) => match.conversation === linked);
    field("count").textContent = count(lacking);
    if (linked && (place === -1 || place >= PAGE)) {
      const [match] = place === -1 ? [{ conversation: linked, turns: null }] : found.splice(place, 1);
      found.unshift(match);
    }
    shown = 0;
    cards.clear();
    field("list").replaceChildren(...(found.length ? [] : [make("p", "facts", "No conversation is as the filters ask.")]));
    showMore();
  }

  function findLinked(hash) {
    if (!hash.startsWith("#conversation-")) return undefined;
    const [, corpus, ...id] = hash.split("-");
    try {
      const wanted = [corpus, id.join("-")].map(decodeURIComponent);
      return log.all.find((one) => one.corpus === wanted[0] && one.id === wanted[1]) ?? null;
    } catch {
      return null; // not an encoding
    }
  }

  function openLinked(conversation) {
    linked = conversation;
    opened.add(conversation);
    if (!cards.has(conversation)) refresh();
    const card = cards.get(conversation);
    card.open = true;
    card.scrollIntoView();
    card.firstElementChild.focus({ preventScroll: true });
  }

  // does what the address says; false where it does not speak of conversations
  function follow() {
    const [part, query] = location.hash.split(/\?(.*)/s);
    const conversation = findLinked(location.hash);
    edited = null;
    if (conversation) openLinked(conversation);
    else if (conversation === null) {
      refresh(["the conversation"]);
      field("conversations").scrollIntoView();
    }
    else if (part !== "" && part !== "#conversations") return false;
    else if (part && query === undefined && !history.state) {
      // a link of the contents, which leaves the filters as they are
      linked = null;
      refresh();
      history.replaceState(EDITED, "", nameSearch());
    } else {
      linked = null;
      refresh(filters.write(new URLSearchParams(query)));
      if (query !== undefined) field("conversations").scrollIntoView();
    }
    return true;
  }

  function nameSearch() {
    const query = filters.read().toString();
    return `#conversations${query ? `?${query}` : ""}`;
  }

  // a field's first edit is a step back in the browser's history, further ones of it are not
  function edit(name) {
    linked = null;
    refresh();
    history[edited === name ? "replaceState" : "pushState"](EDITED, "", nameSearch());
    edited = name;
  }

  filters.listLanguages();
  filters.form.addEventListener("input", (event) => edit(event.target.name));
  filters.form.addEventListener("submit", (event) => event.preventDefault());
  field("reset").addEventListener("click", () => { filters.form.reset(); edit("reset"); });
  field("more").addEventListener("click", () => showMore().firstElementChild.focus());
  window.addEventListener("hashchange", follow);
  if (!follow()) refresh();
  log.prepare();
})();
