<style>
.modal-body pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; }
.modal-body pre code { padding: 0; background: none; color: inherit; font-weight: bold; }
#error-modal .modal-header { background: #f2dede; color: #a94442; }
</style>
<script>
  // nbgrader sends this with a POST only. A request of a script that lacks it counts as nobody's, so
  // the hub begins a login, whose new cookies make the page's other requests fail.
  $.ajaxPrefilter((options, original, xhr) =>
    xhr.setRequestHeader("X-CSRFToken", getCookie("_xsrf")));

  let leaving = false;  // where this page is left, its open requests fail
  $(window).on("beforeunload", () => { leaving = true; });

  // What nbgrader's dialogs leave out where the server did not answer: why, and what to do.
  let failed = null;  // the HTTP status of the last request that failed; 0: there was no answer
  $(document).ajaxSend((event, xhr) => xhr.fail(() => { failed = xhr.status; }));

  function whyNotAnswered(status) {
    if (status === 403) {
      return "You are no longer logged in. Reload this page, log in, and press the button again.";
    }
    if ([0, 424, 502, 503, 504].includes(status)) {
      return "The course's server could not be reached, or stopped before it was done. Wait a " +
        "minute, reload this page, see how far it came, and press the button again if need be.";
    }
    return "The course's server met an error that it does not know (HTTP status " + status +
      "). Press the button again. If the same comes back, tell your admin: the server's log has " +
      "the reason.";
  }

  const createDialog = createModal;
  createModal = function (id, title, body, footer) {
    if (id !== "error-modal" || typeof body !== "string") {
      return createDialog(id, title, body, footer);
    }
    if (leaving) return null;
    const text = [body, whyNotAnswered(failed)].map(part => $("<p/>").text(part));
    return createDialog(id, title, $("<div/>").append(text), footer);
  };

  // What stands in backticks is a name or a command.
  function showCode(elements) {
    elements.each(function () {
      const parts = $(this).text().split(/`([^`\n]+)`/);
      $(this).empty().append(parts.map((part, index) =>
        index % 2 ? $("<code/>").text(part)[0] : document.createTextNode(part)));
    });
  }

  const createDialogWithLog = createLogModal;
  createLogModal = function (id, title, message, log, error) {
    const dialog = createDialogWithLog(id, title, message, log, error);
    showCode(dialog.find(".panel-warning pre"));
    return dialog;
  };
</script>
