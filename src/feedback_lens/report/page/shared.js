"use strict";
// Texts of the logs are hostile: they reach the page through textContent alone.
const readData = (name) => JSON.parse(document.getElementById(`${name}-data`).textContent);
const field = (id) => document.getElementById(id);

function make(tag, name, ...children) {
  const element = document.createElement(tag);
  element.className = name;
  element.append(...children.map((child) => child instanceof Node ? child : String(child ?? "")));
  return element;
}

// a cell that begins like a formula would be run by a spreadsheet
function quoteCell(value) {
  const text = String(value ?? "");
  const safe = Number.isNaN(Number(text)) && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const writeCsv = (names, rows) => [names, ...rows].map((row) => `${row.map(quoteCell).join(",")}\n`).join("");

function saveAs(address, file) {
  const link = make("a", "");
  Object.assign(link, { href: address, download: file });
  link.click();
}

function saveCsv(names, rows, file) {
  const address = URL.createObjectURL(new Blob([writeCsv(names, rows)], { type: "text/csv" }));
  saveAs(address, file);
  URL.revokeObjectURL(address);
}
