(() => {
  const HEIGHT = 26; // pixels of the bar of all attention

  function element(name, className, text) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function start(figure) {
    const { words, heads, patterns } = JSON.parse(figure.dataset.view);
    const turn = element("button");
    const grid = element("div", "ll-heads");
    let chosen = words.length - 1;
    let backwards = false;

    const panels = heads.map((head, number) => {
      const panel = element("div");
      const text = element("div", "ll-text");
      text.tabIndex = 0;
      text.setAttribute("role", "group");
      text.setAttribute("aria-label", `${head}: arrow keys choose a token`);
      const tokens = words.map((word, at) => {
        const token = element("span", "", word);
        const bar = token.appendChild(element("i"));
        token.addEventListener("pointerenter", () => show(at));
        text.append(token, document.createElement("wbr"));
        return { token, bar };
      });
      text.addEventListener("keydown", event => {
        const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -words.length, End: words.length };
        if (!(event.key in steps)) return;
        event.preventDefault();
        event.stopPropagation(); // or JupyterLab would leave the cell
        show(Math.min(Math.max(chosen + steps[event.key], 0), words.length - 1));
      });
      const most = element("div", "ll-most");
      most.setAttribute("aria-live", "polite");
      panel.append(element("b", "", head), text, most);
      grid.append(panel);
      return { tokens, most, pattern: patterns[number] };
    });

    function show(at) {
      chosen = at;
      for (const { tokens, most, pattern } of panels) {
        const shares = words.map((_, i) => (backwards ? pattern[i][at] : pattern[at][i]) / 1000);
        tokens.forEach(({ token, bar }, i) => {
          bar.style.height = `${HEIGHT * Math.min(shares[i], 1)}px`;
          token.className = i === at ? "ll-here" : (backwards ? i < at : i > at) ? "ll-far" : "";
          token.title = `${i} ${words[i]}: ${shares[i].toFixed(3)}`;
        });
        const best = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 3);
        const named = best.filter(i => shares[i] >= 0.05);
        most.textContent = `${words[at]} ${backwards ? "←" : "→"} ` +
          (named.map(i => `${words[i]} (${i}) ${shares[i].toFixed(2)}`).join(", ") || "a little everywhere");
      }
    }

    turn.addEventListener("click", () => {
      backwards = !backwards;
      turn.setAttribute("aria-pressed", backwards);
      show(chosen);
    });
    turn.type = "button";
    turn.textContent = "Who looks at it?";
    turn.setAttribute("aria-pressed", false);
    figure.querySelector("div").replaceWith(turn, grid);
    figure.append(element("p", "", "A bar is the attention to a token. Keys: Tab to a head, then ← and →."));
    show(chosen);
  }

  for (const figure of document.querySelectorAll(".ll-viewer[data-view]")) {
    start(figure);
    figure.removeAttribute("data-view");
  }
})();
