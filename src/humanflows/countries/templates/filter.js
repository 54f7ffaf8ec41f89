// Narrows the list of territories; without this script the whole list is shown.
(function () {
  const form = document.querySelector(".country-filter");
  const rows = Array.from(document.querySelectorAll(".country-index tbody tr"));
  const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const names = rows.map((row) => plain(row.dataset.name));
  function narrow() {
    const name = plain(form.elements.name.value.trim());
    const chosen = ["region", "grade"].filter((k) => form.elements[k] && form.elements[k].value);
    let shown = 0;
    rows.forEach((row, k) => {
      const fits = names[k].includes(name) && chosen.every((c) => row.dataset[c] === form.elements[c].value);
      row.hidden = !fits;
      shown += fits;
    });
    form.querySelector("[role=status]").textContent = shown + " of " + rows.length + " shown";
  }
  form.hidden = false;
  form.addEventListener("input", narrow);
  form.addEventListener("submit", (event) => event.preventDefault());
  narrow();
})();
