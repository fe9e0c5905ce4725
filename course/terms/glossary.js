(() => {
  function element(name, className, text) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function draw(section) {
    for (const template of section.querySelectorAll("template")) {
      const drawn = element("div", "ll-drawn");
      drawn.append(template.content.cloneNode(true));
      template.replaceWith(drawn);
    }
  }

  function search(section) {
    const list = section.querySelector(".ll-terms");
    const entries = [...list.children].map(node => {
      const summary = node.querySelector("summary");
      const shown = [...summary.querySelectorAll("b, i")].map(part => part.textContent.split(", "));
      const names = [...shown.flat(), ...node.dataset.names.split("|")].map(name => name.toLowerCase());
      return { node, summary, names, text: `${names.join(" ")} ${node.textContent}`.toLowerCase() };
    });
    const label = element("label", "", "Search the glossary");
    const field = label.appendChild(element("input"));
    field.type = "search";
    field.placeholder = "a word, or part of one";
    field.autocomplete = "off";
    const status = element("p");
    status.setAttribute("role", "status");
    list.classList.add("ll-found");
    section.prepend(label, status);

    let shown = entries;

    function show() {
      const wanted = field.value.trim().toLowerCase();
      const words = wanted.split(/\s+/);
      // A term of that name comes first, then names that contain it, then texts.
      const rank = ({ names }) =>
        names.includes(wanted) ? 0 : names.some(name => name.includes(wanted)) ? 1 : 2;
      shown = entries.filter(({ text }) => words.every(word => text.includes(word)));
      if (wanted) shown.sort((a, b) => rank(a) - rank(b));
      for (const { node } of entries) node.hidden = true;
      for (const { node } of shown) {
        node.hidden = false;
        list.append(node);
      }
      list.scrollTop = 0;
      status.textContent = `${shown.length} of ${entries.length} terms. ` +
        "Keys: ↓ goes to the terms, Enter opens one, Esc comes back to the search.";
    }

    function go(at) {
      shown[Math.min(Math.max(at, 0), shown.length - 1)]?.summary.focus();
    }

    function open(name) {
      const entry = entries.find(({ names }) => names.includes(name.toLowerCase()));
      field.value = "";
      show();
      entry.node.open = true;
      entry.node.scrollIntoView({ block: "nearest" });
      entry.summary.focus();
    }

    for (const span of list.querySelectorAll("[data-term]")) {
      const button = element("button", "", span.textContent);
      button.type = "button";
      button.addEventListener("click", () => open(span.textContent));
      span.replaceWith(button);
    }
    field.addEventListener("input", show);
    section.addEventListener("keydown", event => {
      const at = shown.findIndex(({ summary }) => summary === document.activeElement);
      const steps = { ArrowDown: 1, ArrowUp: -1 };
      if (event.key === "Escape") {
        field.value = "";
        show();
        field.focus();
      } else if (event.key === "Enter" && event.target === field) {
        if (shown[0]) shown[0].node.open = true;
        go(0);
      } else if (event.key in steps && (at >= 0 || event.target === field)) {
        if (at === 0 && event.key === "ArrowUp") field.focus();
        else go(at + steps[event.key]);
      } else {
        return;
      }
      event.preventDefault();
    });
    show();
  }

  for (const section of document.querySelectorAll(".ll-glossary[data-search]")) {
    section.addEventListener("keydown", event => {
      // Or JupyterLab would take a letter for a command: "d d" deletes the cell.
      if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
    });
    draw(section);
    if (section.dataset.search) search(section);
    delete section.dataset.search;
  }
})();
