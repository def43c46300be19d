"""One round, step by step: its events -> rows of a tree, and what a person does with them. Pure, and quick at 100,000.

`events` collects them in columns, `grower` makes the `tree` (`parents` decides what stands under what), `rows` says
each row in words, `account` what it came to; `shown`, `replay`, `compare` and `export` work on the grown tree.
"""
