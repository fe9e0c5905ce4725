<style>
.modal-body pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; }
#error-modal .modal-header { background: #f2dede; color: #a94442; }
</style>
