"""The executor: runs students' notebooks where there is nothing to steal and no network.

    service.py   the unix socket: access, the queue, one execution per box
    waiting.py   the queue (pure)
    boxes.py     users and a scratch folder for one execution at a time, and their cleanup
    promises.py  what this machine must provide for the executor's promises to hold

It runs as root without a network, with four capabilities, and gives each execution its own users
(`hub.grading.sandbox.users`). The client is `hub.grading.sandbox.remote`.
"""
