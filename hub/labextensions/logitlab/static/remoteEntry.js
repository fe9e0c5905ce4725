// A JupyterLab extension written by hand as a federated module, so that nothing has to be built.
//
// It adds launcher cards (assignments; the formgrader, in a browser tab of its own, since the hub
// forbids framing it) and saves open documents as soon as somebody turns to the assignment list,
// whose Submit button reads files from disk. What to show comes from labconfig/page_config.json,
// written by hub/configure/jupyterlab.py.
(() => {
  const ASSIGNMENT_LIST = "nbgrader:open-assignment-list";
  const LIST = "#nbgrader-assignment-list";
  let shared;

  // A module that JupyterLab itself provides, e.g. "@jupyterlab/launcher".
  async function provided(name) {
    const versions = Object.values(shared[name] ?? {});
    const chosen = versions.find(version => version.loaded) ?? versions[0];
    return (await chosen.get())();
  }

  function pageOption(name) {
    const element = document.getElementById("jupyter-config-data");
    return JSON.parse(element.textContent)[name] || "";
  }

  function addCard(app, launcher, palette, id, label, caption, rank, execute) {
    app.commands.addCommand(id, { label, caption, execute });
    launcher?.add({ command: id, category: "Course", rank });
    palette?.addItem({ command: id, category: "Course" });
  }

  function saveWhenTurnedTo(app, isAssignmentList) {
    const save = () => app.commands.execute("docmanager:save-all").catch(() => undefined);
    app.shell.currentChanged?.connect((_, change) => {
      if (change.newValue && isAssignmentList(change.newValue.node)) save();
    });
    document.addEventListener(
      "pointerover",
      event => {
        const entered = event.target.closest?.(".lm-Widget");
        const left = event.relatedTarget?.closest?.(".lm-Widget");
        if (entered && entered !== left && isAssignmentList(entered)) save();
      },
      { passive: true }
    );
  }

  function activate(app, launcher, palette) {
    const formgrader = pageOption("logitlabFormgrader");
    if (formgrader) {
      addCard(app, launcher, palette, "logitlab:formgrader", "Formgrader",
        "Release, collect and grade, in a browser tab", 1,
        () => window.open(formgrader, "_blank", "noopener"));
    }
    if (pageOption("logitlabAssignments") === "yes") {
      addCard(app, launcher, palette, "logitlab:assignments", "Assignments",
        "Fetch, validate and submit", 0,
        () => app.commands.execute(ASSIGNMENT_LIST));
      saveWhenTurnedTo(app, node => !!(node.closest(LIST) || node.querySelector(`:scope > ${LIST}`)));
    }
  }

  async function extension() {
    const { ILauncher } = await provided("@jupyterlab/launcher");
    const { ICommandPalette } = await provided("@jupyterlab/apputils");
    const plugin = {
      id: "logitlab:course",
      description: "Launcher cards of the course",
      autoStart: true,
      optional: [ILauncher, ICommandPalette],
      activate
    };
    return () => ({ __esModule: true, default: plugin });
  }

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB.logitlab = {
    init: scope => { shared = scope; },
    get: extension
  };
})();
