"use strict";
// The contents stay in sight and say which part one reads: the one that crosses a line near the top.
{
  const bar = field("contents");
  const links = new Map([...bar.querySelectorAll("li a")].map((link) => [link.hash.slice(1), link]));

  function mark(current) {
    for (const link of links.values()) link.removeAttribute("aria-current");
    if (!current) return;
    current.setAttribute("aria-current", "location");
    // by hand: scrollIntoView would move the page too
    bar.scrollLeft = current.offsetLeft - (bar.clientWidth - current.offsetWidth) / 2;
  }

  const crossing = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries)
      crossing[isIntersecting ? "add" : "delete"](target.id);
    mark([...links].find(([id]) => crossing.has(id))?.[1]);
  }, { rootMargin: "-25% 0px -75% 0px" });
  for (const id of links.keys()) if (field(id)) watcher.observe(field(id));
}
