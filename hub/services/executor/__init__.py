"""The executor: runs students' notebooks where there is nothing to steal and nowhere to go.

    service.py   the unix socket: who may ask, the queue, one execution a box
    waiting.py   the queue (pure)
    boxes.py     users and a scratch folder for one execution at a time, and their clearing away
    promises.py  what this machine must be like for the executor's promises to hold

It runs as root without network, with four capabilities, and gives each execution users of its own
(`hub.grading.sandbox.users`). The client is `hub.grading.sandbox.remote`.
"""
