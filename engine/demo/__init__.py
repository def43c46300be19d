"""The demo's loop: a small repository with the cause of one of the weekend's stories, and a scripted model that mends
it. Everything between the two is real: the agent's program in its jail, the branch, the tests, the merge.
"""
