<style>
#autograding pre { white-space: pre-wrap; overflow-wrap: anywhere; margin-top: 10px; }
#autograding pre code { padding: 0; background: none; color: inherit; font-weight: bold; }
</style>
<script>
  // Gradings whose outcome nobody has seen, above the list: the page may have been left, or the
  // server ended, before there was one.
  const autogradingUrl = () =>
    base_url + "/formgrader/api/autograding/" + encodeURIComponent(assignment_id);
  const pressed = new Set();  // students whose outcome a dialog of this page shows
  let running = new Set();

  function seen(student) {
    return $.ajax({ url: autogradingUrl() + "/" + encodeURIComponent(student), method: "DELETE" });
  }

  function unseenBox(one) {
    const box = $("<div/>").attr({ role: "status", "data-student": one.student });
    box.append($("<span/>").text(one.sentence));
    if (one.state === "running") return box.addClass("alert alert-info");
    const close = $("<button/>").attr({ type: "button", "class": "close", "aria-label": "Close" });
    close.html("&times;").click(() => { box.remove(); seen(one.student); });
    box.addClass("alert alert-danger").prepend(close).append($("<pre/>").text(one.log));
    showCode(box.find("pre"));
    return box;
  }

  let timer = null;

  function showUnseen() {
    clearTimeout(timer);
    const again = () => { timer = setTimeout(showUnseen, 3000); };
    $.getJSON(autogradingUrl()).fail(again).done(function (found) {
      const shown = found.filter(one => !pressed.has(one.student));
      const now = new Set(shown.filter(one => one.state === "running").map(one => one.student));
      const ended = [...running].filter(student => !now.has(student));
      running = now;
      $("#autograding").empty().append(shown.map(unseenBox));
      views.filter(view => ended.includes(view.model.get("student")))
        .forEach(view => view.model.fetch());
      if (now.size) again();
    });
  }

  (function (view) {
    const { autograde, autograde_success, autograde_failure } = view.prototype;
    view.prototype.autograde = function () {
      const student = this.model.get("student");
      pressed.add(student);
      $("#autograding > div").filter((index, box) => box.dataset.student === student).remove();
      return autograde.apply(this, arguments);
    };
    view.prototype.autograde_success = function () {
      autograde_success.apply(this, arguments);
      seen(this.model.get("student")).always(() => pressed.delete(this.model.get("student")));
    };
    view.prototype.autograde_failure = function () {
      autograde_failure.apply(this, arguments);
      pressed.delete(this.model.get("student"));
      if (!leaving) showUnseen();
    };
  })(SubmissionUI);

  $(showUnseen);
</script>
