"use strict";
{
  const claims = readData("claims");
  const rows = [...document.querySelectorAll(".overview tbody tr")];

  function filter() {
    const state = field("claims-shown").value;
    for (const row of rows) row.hidden = state !== "" && !row.dataset.states.split(";").includes(state);
    const shown = rows.filter((row) => !row.hidden).length;
    field("claims-count").textContent = `${shown} of ${rows.length} tables and figures`;
  }

  // on paper nothing can be opened
  const reading = document.querySelector("details.reading");
  let wasOpen = false;
  addEventListener("beforeprint", () => { wasOpen = reading.open; reading.open = true; });
  addEventListener("afterprint", () => { reading.open = wasOpen; });

  field("claims-save").addEventListener("click", () => saveCsv(claims.columns, claims.rows, "claims.csv"));
  field("claims-shown").addEventListener("change", filter);
  document.querySelector(".claims-tools").hidden = false;
  filter();
}
