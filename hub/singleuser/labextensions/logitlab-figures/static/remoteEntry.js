// A JupyterLab extension written by hand as a federated module, so that nothing has to be built.
//
// A Plotly figure cannot name JupyterLab's colours: it takes no CSS variables. So course/plots/style.py
// gives paper, ink, faint ink and grid colours that nothing else has, and this style replaces just
// those by the theme's. Other figures stay as they are, and where this does not run, ours are dark on
// white.
(() => {
  const STYLE = `
    .jp-RenderedPlotly { max-width: 850px; }
    .jp-RenderedPlotly .plot-img { max-width: 100%; }
    .jp-RenderedPlotly .main-svg[style*="background: rgb(255, 255, 254)"] { background: none !important; }
    .jp-RenderedPlotly [style*="fill: rgb(255, 255, 254)"] { fill: var(--jp-layout-color0) !important; }
    .jp-RenderedPlotly [style*="fill: rgb(34, 34, 34)"] { fill: var(--jp-ui-font-color1) !important; }
    .jp-RenderedPlotly [style*="stroke: rgb(34, 34, 34)"] { stroke: var(--jp-ui-font-color1) !important; }
    .jp-RenderedPlotly [style*="fill: rgb(107, 107, 107)"] { fill: var(--jp-ui-font-color2) !important; }
    .jp-RenderedPlotly [style*="stroke: rgb(107, 107, 107)"] { stroke: var(--jp-ui-font-color2) !important; }
    .jp-RenderedPlotly [style*="stroke: rgb(230, 230, 230)"] { stroke: var(--jp-border-color2) !important; }`;

  const plugin = {
    id: "logitlab-figures:theme",
    description: "The course's figures in the colours of the theme",
    autoStart: true,
    activate: () => {
      document.head.appendChild(document.createElement("style")).textContent = STYLE;
    }
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB["logitlab-figures"] = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin })
  };
})();
