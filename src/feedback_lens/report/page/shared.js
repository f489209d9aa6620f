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
