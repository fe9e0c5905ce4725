"""What every program of ours may import, and what is in no need of anything else.

Values that several of them must agree on, each in one place, and the few functions that all of
them need. The standard library only: hosts without any package and every image have this.
"""
