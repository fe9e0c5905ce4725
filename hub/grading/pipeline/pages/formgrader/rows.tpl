<script>
  // nbgrader empties a row, writes "Please wait..." and draws it again when the server has said how
  // it stands now; where that fails, it stays so for ever, without its buttons.
  function drawRowsAgain(view) {
    const initialize = view.prototype.initialize;
    view.prototype.initialize = function () {
      initialize.apply(this, arguments);
      let left = 5;
      this.listenTo(this.model, "sync", () => { left = 5; });
      this.listenTo(this.model, "error", (model, xhr, options) => {
        this.render();
        if (options.validate || left-- <= 0) return;  // what could not be saved is not sent again
        setTimeout(() => model.fetch(), 3000);
      });
    };
  }
</script>
