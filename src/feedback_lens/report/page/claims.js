"use strict";
{
  const claims = readData("claims");
  const rows = [...document.querySelectorAll(".overview tbody tr")];

  // a cell that begins like a formula would be run by a spreadsheet
  const quote = (value) => {
    const text = String(value ?? "");
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return `"${safe.replaceAll('"', '""')}"`;
  };
  const writeCsv = (names, cells) =>
    [names, ...cells].map((line) => `${line.map(quote).join(",")}\r\n`).join("");

  function save() {
    const link = make("a", "");
    link.href = URL.createObjectURL(new Blob([writeCsv(claims.columns, claims.rows)], { type: "text/csv" }));
    link.download = "claims.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function filter() {
    const state = field("claims-shown").value;
    for (const row of rows) row.hidden = state !== "" && !row.dataset.states.split(";").includes(state);
    const shown = rows.filter((row) => !row.hidden).length;
    field("claims-count").textContent = `${shown} of ${rows.length} tables and figures`;
  }

  field("claims-save").addEventListener("click", save);
  field("claims-shown").addEventListener("change", filter);
  document.querySelector(".claims-tools").hidden = false;
  filter();
}
