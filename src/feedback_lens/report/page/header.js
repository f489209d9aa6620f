"use strict";
// Whether a model is retired depends on the day of reading, which the file's bytes know nothing of.
{
  const now = new Date();
  const today = Date.UTC(now.getFullYear(), now.getMonth(), now.getDate());
  for (const time of document.querySelectorAll("time.shutdown")) {
    const days = (Date.parse(time.dateTime) - today) / 864e5;
    const words = `retires in ${days} day${days === 1 ? "" : "s"}`;
    time.after(days > 0 ? make("span", "due", words) : make("span", "due past", "retired"));
  }
}
