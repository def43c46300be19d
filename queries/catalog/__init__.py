"""One `.sql` file per question, in HogQL, with a header; `catalog.py` loads them."""
