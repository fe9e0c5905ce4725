// A JupyterLab extension written by hand as a federated module, so that nothing has to be built.
//
// It shows what hub/singleuser/gpu/extension.py answers: why this server has no GPU (once a browser tab),
// and that its GPU is gone. Asked every minute while the page is in sight.
(() => {
  const MINUTE = 60000;
  let shared, timer;

  async function provided(name) {
    const versions = Object.values(shared[name] ?? {});
    const chosen = versions.find(version => version.loaded) ?? versions[0];
    return (await chosen.get())();
  }

  async function extension() {
    const { Notification } = await provided("@jupyterlab/apputils");
    const { PageConfig, URLExt } = await provided("@jupyterlab/coreutils");
    const { ServerConnection } = await provided("@jupyterlab/services");
    const settings = ServerConnection.makeSettings();
    const address = URLExt.join(PageConfig.getBaseUrl(), "logitlab", "gpu");

    async function look() {
      if (document.hidden) return;
      const response = await ServerConnection.makeRequest(address, {}, settings);
      if (!response.ok) return;
      const { gpu, notice } = await response.json();
      if (!gpu) clearInterval(timer); // nobody gives out GPUs here
      if (notice === (sessionStorage.getItem("logitlab-gpu") ?? "")) return;
      sessionStorage.setItem("logitlab-gpu", notice);
      if (!notice) return;
      const say = gpu.startsWith("cpu") ? Notification.info : Notification.error;
      say(notice, { autoClose: gpu.startsWith("cpu") ? 15000 : false });
    }

    const plugin = {
      id: "logitlab-gpu:notice",
      description: "Notices about this server's GPU",
      autoStart: true,
      activate: app => {
        const again = () => look().catch(() => undefined);
        timer = setInterval(again, MINUTE);
        void app.restored.then(again);
      }
    };
    return () => ({ __esModule: true, default: plugin });
  }

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB["logitlab-gpu"] = {
    init: scope => { shared = scope; },
    get: extension
  };
})();
