// A JupyterLab extension written by hand as a federated module, so that nothing has to be built.
//
// It adds launcher cards (assignments; the course's page and the formgrader, in browser tabs, since
// the hub forbids framing them), saves open documents as soon as somebody turns to the assignment
// list, whose Submit button reads files from disk, says what is odd about a submission, and gives
// nbgrader's dialog of a validation our sentences. What to show comes from
// labconfig/page_config.json, written by hub/jupyterhub/configuration/jupyterlab.py.
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

  // Three heads' worth of a causal attention pattern, in the colours of the course.
  const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24">
    <rect x="2" y="2" width="20" height="20" rx="2" fill="#440154"/>
    <path fill="#31688e" d="M2 2h5v5h-5zM7 7h5v5h-5zM12 12h5v5h-5zM17 17h5v5h-5z"/>
    <path fill="#fde725" d="M2 12h5v5h-5zM7 17h5v5h-5z"/></svg>`;

  function addCard(app, { launcher, palette, icon }, id, label, caption, rank, execute) {
    app.commands.addCommand(id, { label, caption, icon, execute });
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

  function list(sentences) {
    const node = document.createElement("ul");
    for (const sentence of sentences) {
      node.appendChild(document.createElement("li")).textContent = sentence;
    }
    return node;
  }

  // nbgrader's Submit button shows failures only. What there is to say about a submission that was
  // taken, hub/singleuser/remarks.py has as soon as it has ended.
  async function showRemarks(serverSettings) {
    const { ServerConnection } = await provided("@jupyterlab/services");
    const { Dialog, showDialog } = await provided("@jupyterlab/apputils");
    const { Widget } = await provided("@lumino/widgets");
    for (const seconds of [1, 2, 4, 8, 16, 32]) {
      await new Promise(resolve => setTimeout(resolve, 1000 * seconds));
      const url = `${serverSettings.baseUrl}logitlab/remarks`;
      const answer = await ServerConnection.makeRequest(url, { method: "POST" }, serverSettings);
      const remarks = answer.ok ? (await answer.json()).remarks : null;
      if (remarks?.length) {
        await showDialog({
          title: "Submitted, but please read this",
          body: new Widget({ node: list(remarks) }),
          buttons: [Dialog.okButton()]
        });
      }
      if (remarks) return;
    }
  }

  function remarkOnSubmissions(app) {
    // Before nbgrader's own handler, which renames the button.
    document.addEventListener("click", event => {
      const button = event.target.closest?.(`${LIST} button`);
      if (button?.innerText === "Submit") {
        showRemarks(app.serviceManager.serverSettings).catch(console.error);
      }
    }, true);
  }

  function element(name, text) {
    const node = document.createElement(name);
    node.textContent = text;
    return node;
  }

  // A test that failed: a sentence, and what there is to read more, folded.
  function failure({ sentence, source, raw_error }) {
    const node = document.createElement("div");
    const more = document.createElement("details");
    const traceback = raw_error.slice(sentence.length).trim().replace(/\x1b\[[0-9;]*m/g, "");
    more.append(element("summary", "The test and where it failed"));
    more.append(...[source, traceback].filter(text => text).map(text => element("pre", text)));
    node.append(element("p", sentence), more);
    return node;
  }

  // nbgrader's dialog of a validation shows texts of tests first and has no room for what was
  // repaired or stopped; the route of hub/singleuser/validation has the sentences.
  async function tellIn(dialog) {
    const { ServerConnection } = await provided("@jupyterlab/services");
    const settings = ServerConnection.makeSettings();
    const url = `${settings.baseUrl}logitlab/validation`;
    const answer = await ServerConnection.makeRequest(url, {}, settings);
    if (!answer.ok) return;
    const { verdict, failed = [], report = [] } = await answer.json();
    if (verdict) dialog.replaceChildren(element("p", verdict), ...failed.map(failure));
    dialog.append(...report.map(sentence => element("p", sentence)));
  }

  function watchForVerdicts() {
    new MutationObserver(records => {
      for (const node of records.flatMap(record => [...record.addedNodes])) {
        const verdict = node.querySelector?.(".jp-Dialog-content [class*='validation-']");
        if (verdict) void tellIn(verdict);
      }
    }).observe(document.body, { childList: true });
  }

  // Somebody who has nothing open starts at the assignments rather than at an empty launcher.
  async function openFirst(app) {
    await app.restored;
    const open = [...app.shell.widgets("main")];
    if (open.every(widget => widget.title.label === "Launcher")) {
      await app.commands.execute(ASSIGNMENT_LIST);
    }
  }

  function activate(app, launcher, palette, icon) {
    const places = { launcher, palette, icon };
    watchForVerdicts();
    const openTab = url => () => window.open(url, "_blank", "noopener");
    const formgrader = pageOption("logitlabFormgrader");
    if (formgrader) {
      addCard(app, places, "logitlab:formgrader", "Formgrader",
        "Release, collect and grade, in a browser tab", 2, openTab(formgrader));
    }
    const coursePage = pageOption("logitlabCoursePage");
    if (coursePage) {
      addCard(app, places, "logitlab:course-page", "Course page",
        "Due dates, hand-ins and feedback, in a browser tab", 1, openTab(coursePage));
    }
    if (pageOption("logitlabAssignments") === "yes") {
      addCard(app, places, "logitlab:assignments", "Assignments",
        "Fetch, validate and submit", 0,
        () => app.commands.execute(ASSIGNMENT_LIST));
      void openFirst(app);
      remarkOnSubmissions(app);
      saveWhenTurnedTo(app, node => !!(node.closest(LIST) || node.querySelector(`:scope > ${LIST}`)));
    }
  }

  async function extension() {
    const { ILauncher } = await provided("@jupyterlab/launcher");
    const { ICommandPalette } = await provided("@jupyterlab/apputils");
    const { LabIcon } = await provided("@jupyterlab/ui-components");
    const icon = new LabIcon({ name: "logitlab:course", svgstr: ICON });
    const plugin = {
      id: "logitlab:course",
      description: "Launcher cards of the course",
      autoStart: true,
      optional: [ILauncher, ICommandPalette],
      activate: (app, launcher, palette) => activate(app, launcher, palette, icon)
    };
    return () => ({ __esModule: true, default: plugin });
  }

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB.logitlab = {
    init: scope => { shared = scope; },
    get: extension
  };
})();
