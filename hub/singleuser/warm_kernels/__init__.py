"""Notebook kernels that are forked from a process which has imported the libraries already.

`extension` starts that process, the kernel template, when a server answers; `provisioner` asks it
for kernels, and starts one afresh where it cannot give one; `template` is the process itself.
"""
